# Downloads, from a server of our own with faults; nothing here needs a network.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

trainval=VOCtrainval_06-Nov-2007.tar
test=VOCtest_06-Nov-2007.tar

# A devkit of five pictures in two tars, and weights; import-weights has a stand-in that takes files that begin with
# "weights".
setup_file() {
    command -v curl >/dev/null || skip "curl is not installed (make deps gets it)"
    [ -x "${HELPERS:-}/httpd" ] || skip "build/tests/httpd is not built (make check does it)"
    cd "$BATS_FILE_TMPDIR" || return 1
    local list n
    mkdir -p www bin
    for list in trainval:1,2,3 test:4,5; do
        mkdir -p VOCdevkit/VOC2007/{Annotations,JPEGImages,ImageSets/Main}
        for n in $(tr , ' ' <<<"${list#*:}"); do
            echo "<annotation>$n</annotation>" >"VOCdevkit/VOC2007/Annotations/00000$n.xml"
            head -c 40000 /dev/zero | noise "$n" >"VOCdevkit/VOC2007/JPEGImages/00000$n.jpg"
            echo "00000$n" >>"VOCdevkit/VOC2007/ImageSets/Main/${list%:*}.txt"
        done
        tar -cf "www/VOC${list%:*}_06-Nov-2007.tar" VOCdevkit
        rm -r VOCdevkit
    done
    { echo weights; head -c 100000 /dev/zero; } >www/model.safetensors
    sum=$(sha256sum <www/model.safetensors)
    cp www/model.safetensors "www/resnet34-${sum:0:8}.pth"
    cp www/model.safetensors www/resnet34-00000000.pth
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' 'case $* in "--arch resnet34 -o "*) ;; *) exit 2 ;; esac' \
        '[ "$(head -n 1 "$5")" = weights ] || exit 3' 'cp "$5" "$4"' >bin/import-weights
    chmod +x bin/import-weights
    "$HELPERS/httpd" www >port 2>>log 3>&- &
    echo $! >pid
    until [ -s port ]; do sleep 0.02; done
}

teardown_file() {
    [ ! -e "$BATS_FILE_TMPDIR/pid" ] || kill "$(cat "$BATS_FILE_TMPDIR/pid")"
}

noise() { # bytes that differ from number to number
    tr '\0' "$(printf '\\%03o' $((64 + $1)))"
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    cd "$BATS_TEST_TMPDIR" || return 1
    url=http://127.0.0.1:$(cat "$BATS_FILE_TMPDIR/port")
    www=$BATS_FILE_TMPDIR/www
    : >"$BATS_FILE_TMPDIR/log"
    unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
    export BIN=$BATS_FILE_TMPDIR/bin PAUSE=0 PATIENCE=5
    export VOC_MIRRORS=$url/ WEIGHTS_MIRRORS=$url/model.safetensors
    VOC_TRAINVAL_MD5=$(md5sum <"$www/$trainval" | cut -d' ' -f1)
    VOC_TEST_MD5=$(md5sum <"$www/$test" | cut -d' ' -f1)
    export VOC_TRAINVAL_MD5 VOC_TEST_MD5
}

teardown() {
    ! mountpoint -q "$BATS_TEST_TMPDIR/data" || umount "$BATS_TEST_TMPDIR/data"
}

data() { "$root/scripts/data" "$@"; }
requests() { # what the server was asked for since the test began, without HEAD
    grep -v '^HEAD' "$BATS_FILE_TMPDIR/log" || true
}
complete() { # all of trainval is in data/, and nothing else
    assert_equal "$(cd data && find VOC2007 -type f | LC_ALL=C sort | tr '\n' ' ')" \
        "$(cd "$BATS_FILE_TMPDIR" && tar -tf "www/$trainval" | sed -n 's|^VOCdevkit/\(.*[^/]\)$|\1|p' |
            LC_ALL=C sort | tr '\n' ' ')"
    tar -xOf "$www/$trainval" VOCdevkit/VOC2007/JPEGImages/000002.jpg | cmp - data/VOC2007/JPEGImages/000002.jpg
    assert_equal "$(ls -A data/.download)" lock
}
nothing() { # nothing has its final name
    [ ! -e data/VOC2007 ]
    [ ! -e data/resnet34.safetensors ]
    [ ! -e "data/$trainval" ]
}

@test "pictures, annotations and weights are fetched; sums of what arrived are remembered" {
    run -0 data trainval weights
    complete
    cmp "$www/model.safetensors" data/resnet34.safetensors
    assert_line "data: data/VOC2007 has 3 pictures of trainval"
    assert_line "data: data/resnet34.safetensors is ready"
    run -0 sh -c "cd '$www' && grep -v resnet34 '$PWD/data/SHA256SUMS' | sha256sum -c --quiet"
    run -0 sh -c "cd data && grep resnet34 SHA256SUMS | sha256sum -c --quiet"
    assert_equal "$(wc -l <data/SHA256SUMS)" 3
}

@test "a second run asks for nothing and changes nothing" {
    data trainval weights
    before=$(find data -type f ! -name lock -printf '%p %T@ %s\n' | sort)
    : >"$BATS_FILE_TMPDIR/log"
    run -0 data trainval weights
    assert_line "data: data/VOC2007 is there (trainval)"
    assert_line "data: data/resnet34.safetensors is there"
    assert_equal "$(cat "$BATS_FILE_TMPDIR/log")" ""
    assert_equal "$(find data -type f ! -name lock -printf '%p %T@ %s\n' | sort)" "$before"
}

@test "one line for each thing that happens when no terminal looks on" {
    run -0 data trainval
    assert_equal "${#lines[@]}" 2
    assert_line --index 0 "data: fetching $url/$trainval"
}

@test "on a terminal curl's bar shows" {
    command -v script >/dev/null || skip "no script(1) here"
    run -0 script -qec "$root/scripts/data trainval" /dev/null
    assert_output --partial "100.0%"
}

@test "the test pictures are added to those of trainval, their list last" {
    data trainval
    run -0 data test
    assert_line "data: data/VOC2007 has 2 pictures of test"
    assert_equal "$(cat data/VOC2007/ImageSets/Main/{trainval,test}.txt | tr '\n' ' ')" \
        "000001 000002 000003 000004 000005 "
    assert_equal "$(find data/VOC2007/JPEGImages -name '*.jpg' | wc -l)" 5
    run -0 data test trainval
    assert_equal "$(requests | wc -l)" 2
}

@test "the other way round, trainval is added to test" {
    run -0 data test trainval
    assert_equal "$(find data/VOC2007/Annotations -name '*.xml' | wc -l)" 5
    assert_equal "$(find data/VOC2007/ImageSets/Main | wc -l)" 3
}

@test "a connection that is cut again and again is taken up where it ended" {
    VOC_MIRRORS=$url/cut=50000 run -0 data trainval
    complete
    assert_line --partial "the connection was cut after 1 MB, going on"
    assert_equal "$(requests | head -n 3)" "GET /cut=50000/$trainval 200
GET /cut=50000/$trainval bytes=50000- 206
GET /cut=50000/$trainval bytes=100000- 206"
}

@test "what an ended run left is gone on with by the next one" {
    VOC_MIRRORS=$url/stall=50000 "$root/scripts/data" trainval >out 2>&1 3>&- &
    # more than curl's buffer
    until [ "$(stat -c %s "data/.download/$trainval.part" 2>/dev/null)0" -gt 400000 ]; do sleep 0.05; done
    kill "$!" # ends curl as well, or it would keep the next run waiting
    wait "$!" || true
    nothing
    run -0 data trainval
    assert_line "data: fetching $url/$trainval, going on after 1 MB"
    [[ $(requests | tail -n 1) = "GET /$trainval bytes="[45]*"- 206" ]]
    complete
}

@test "a server that goes silent is left for the next one, with what it sent" {
    PATIENCE=1 VOC_MIRRORS="$url/stall=0 $url" run -0 data trainval
    assert_line "data: $url/stall=0/$trainval: no answer"
    complete
}

@test "a server that knows no ranges sends it from the start" {
    mkdir -p data/.download
    head -c 30000 "$www/$trainval" >"data/.download/$trainval.part"
    VOC_MIRRORS=$url/norange run -0 data trainval
    assert_equal "$(requests | tail -n 1)" "GET /norange/$trainval 200"
    complete
}

@test "a server that knows no ranges and breaks off is left after five tries" {
    VOC_MIRRORS="$url/norange/cut=20000 $url" run -0 data trainval
    complete
}

@test "wrong bytes are thrown away, and the next place is asked" {
    VOC_MIRRORS="$url/wrong $url" run -0 data trainval
    assert_line --partial "data: $url/wrong/$trainval: its MD5 is"
    complete
}

@test "wrong bytes everywhere are an error of the data, and leave nothing" {
    VOC_MIRRORS=$url/wrong run -3 data trainval
    nothing
    assert_equal "$(ls -A data/.download)" lock
    assert_line --partial "VOC 2007 trainval: not to be had; put the file at data/$trainval by hand,\
 or name other places with VOC_MIRRORS='URL…'"
}

@test "a beginning from elsewhere that does not fit is fetched anew from the same place" {
    mkdir -p data/.download
    head -c 30000 /dev/zero >"data/.download/$trainval.part"
    run -0 data trainval
    assert_line --partial "once more, from the start"
    complete
}

@test "a complete download is used although nobody answers" {
    mkdir -p data/.download
    cp "$www/$trainval" "data/.download/$trainval.part"
    VOC_MIRRORS=http://127.0.0.1:1 run -0 data trainval
    complete
}

@test "weights that had arrived, but were not imported yet, are not sent again" {
    mkdir -p data/.download
    cp "$www/model.safetensors" data/.download/model.safetensors.part
    run -0 data weights
    assert_equal "$(requests)" "GET /model.safetensors bytes=100008- 416"
    # and what is longer than the file is fetched anew
    rm data/resnet34.safetensors
    { cat "$www/model.safetensors"; echo more; } >data/.download/model.safetensors.part
    run -0 data weights
    cmp "$www/model.safetensors" data/resnet34.safetensors
}

@test "a file that is not there is looked for in the next place" {
    VOC_MIRRORS="$url/status=404 $url/status=403/ $url" run -0 data trainval
    assert_line "data: $url/status=404/$trainval: status 404"
    assert_line "data: $url/status=403/$trainval: status 403"
    complete
}

@test "a busy server is asked again" {
    VOC_MIRRORS=$url/busy=3 run -0 data trainval
    complete
}

@test "redirects are followed" {
    VOC_MIRRORS=$url/redirect run -0 data trainval
    complete
    rm -r data
    VOC_MIRRORS=$url/redirect/cut=50000 run -0 data trainval
    complete
}

@test "a folder of this machine is a mirror too" {
    VOC_MIRRORS=file://$www run -0 data trainval
    complete
}

@test "a copy put into data/ by hand is checked, used and kept" {
    mkdir data
    cp "$www/$trainval" data
    VOC_MIRRORS=http://127.0.0.1:1 run -0 data trainval
    assert_line "data: taking data/$trainval"
    complete
    cmp "$www/$trainval" "data/$trainval"
    rm -r data/VOC2007
    echo >>"data/$trainval"
    run -3 data trainval
    assert_line --partial "data/$trainval: its MD5 is"
    [ ! -e data/VOC2007 ]
}

@test "offline, one line says so and what can be done" {
    VOC_MIRRORS="http://127.0.0.1:1 http://nowhere.invalid" run -4 data trainval
    nothing
    assert_line "data: http://127.0.0.1:1/$trainval: no connection"
    assert_line "data: http://nowhere.invalid/$trainval: host not found"
    assert_line "data: no server answered: this machine seems to be offline"
}

@test "one thing that fails does not keep the others away" {
    VOC_MIRRORS=http://127.0.0.1:1 run -4 data trainval weights
    [ -e data/resnet34.safetensors ]
    [ ! -e data/VOC2007 ]
}

@test "without curl it says how to get it" {
    mkdir tools
    for tool in bash env mkdir flock; do ln -s "$(command -v $tool)" tools; done
    PATH=$PWD/tools run -4 "$root/scripts/data" trainval
    assert_output "data: curl is missing; 'apt-get install curl ca-certificates' gets it"
}

@test "too little space is noticed before the download" {
    mkdir tools
    # shellcheck disable=SC2016
    printf '#!/bin/sh\necho "Filesystem 1B-blocks Used Available Capacity Mounted"\necho "/dev/x 1 1 $FREE 1%% /"\n' \
        >tools/df
    chmod +x tools/df
    size=$(stat -c %s "$www/$trainval")
    FREE=$((2 * size - 1)) PATH=$PWD/tools:$PATH run -4 data trainval
    assert_output \
        --partial "data: data has 1 MB free, $trainval.part needs 1 MB: make room, or name another folder with DATA=DIR"
    assert_equal "$(requests)" ""
    FREE=$((2 * size)) PATH=$PWD/tools:$PATH run -0 data trainval
}

@test "a disk that is full in the middle leaves no half-made folder; with space again it goes on" {
    mkdir data
    mount -t tmpfs -o size=192k tmpfs data 2>/dev/null || skip "no right to mount here"
    ln -s /bin/true df # the check beforehand sees nothing
    PATH=$PWD:$PATH run -4 data trainval
    assert_output --partial "cannot be unpacked"
    nothing
    mount -o remount,size=4m data
    run -0 data trainval
    complete
}

@test "a disk that cannot hold the download says so" {
    mkdir data
    mount -t tmpfs -o size=64k tmpfs data 2>/dev/null || skip "no right to mount here"
    ln -s /bin/true df
    PATH=$PWD:$PATH run -4 data trainval
    assert_line --partial "no room on the disk of data"
    nothing
}

@test "weights that import-weights refuses, or that differ from their name, are passed over for the next ones" {
    echo text >"$www/other.safetensors"
    sum=$(sha256sum <"$www/model.safetensors")
    WEIGHTS_MIRRORS="$url/other.safetensors $url/resnet34-00000000.pth $url/resnet34-${sum:0:8}.pth" run -0 data weights
    assert_line "data: $url/other.safetensors: it holds other tensors than a ResNet-34"
    assert_line \
        --partial "resnet34-00000000.pth: its SHA-256 begins with ${sum:0:8}, by its name it should with 00000000"
    cmp "$www/model.safetensors" data/resnet34.safetensors
}

@test "weights other than those of the first time are not taken" {
    data weights
    rm data/resnet34.safetensors
    mkdir "$www/new"
    { echo weights; echo others; } >"$www/new/model.safetensors"
    WEIGHTS_MIRRORS=$url/new/model.safetensors run -3 data weights
    assert_line --partial "data/SHA256SUMS remembers"
    [ ! -e data/resnet34.safetensors ]
    run -0 data weights
}

@test "weights that changed on disk are noticed" {
    data weights
    echo more >>data/resnet34.safetensors
    run -3 data weights
    assert_output --partial "data: data/resnet34.safetensors: its SHA-256 is"
    assert_output --partial "remove it, and it will be fetched"
}

@test "a folder VOC2007 of the user's own is left alone" {
    mkdir -p data/VOC2007/annotations
    run -0 data trainval
    assert_equal "$(requests)" ""
    assert_equal "$(find data/VOC2007)" "data/VOC2007
data/VOC2007/annotations"
}

@test "two at once: the second waits and finds all there" {
    VOC_MIRRORS=$url/cut=20000 "$root/scripts/data" trainval 3>&- &
    until [ -e data/.download/lock ]; do sleep 0.01; done
    run -0 data trainval
    wait
    complete
    assert_equal "$(requests | grep -c ' 200$')" 1
}

@test "wrong words are a matter of usage" {
    run -2 data
    run -2 data pictures
    assert_output --partial "usage: scripts/data"
}

@test "make data is a target though there is a folder of that name, and goes to DATA" {
    mkdir tree
    cp "$root/Makefile" "$root/pipeline.mk" tree
    cp -r "$root/scripts" "$BIN" tree
    mkdir tree/data
    cd tree
    run -0 env -u BIN make --no-print-directory data
    [ -e data/VOC2007/ImageSets/Main/trainval.txt ]
    [ -e data/resnet34.safetensors ]
    run -0 env -u BIN -u VOC_MIRRORS make --no-print-directory data-test DATA=elsewhere VOC_MIRRORS="$url"
    [ -e elsewhere/VOC2007/ImageSets/Main/test.txt ]
}
