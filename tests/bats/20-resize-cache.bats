#!/usr/bin/env bats
# resize-cache: from pictures to the file that trainings read.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir pictures
    for name in 444.jpg 420.jpg cmyk.jpg exif6.jpg palette.png deepgrey.png; do
        cp "$BATS_TEST_DIRNAME/../golden/image/$name" pictures/
        touch -d '2020-01-01' "pictures/$name"
    done
    printf '%s\n' fn,cat '444.jpg,car' '420.jpg,"a, b"' 'cmyk.jpg,cat' 'exif6.jpg,cat' '"palette.png",dog' \
        'deepgrey.png,dog' >lrg.csv
}

# fails CODE WORDS…: the program exits with CODE, says one line that holds all WORDS, and writes nothing
fails() {
    local code=$1
    shift
    assert_equal "$status" "$code"
    assert_equal "${#lines[@]}" 1
    local word
    for word in "$@"; do assert_output --partial "$word"; done
    assert_equal "$(find . -name 'x.cache*')" ""
}

cache() { run "$BIN/resize-cache" --size 64 --images pictures -o x.cache "$@"; }

@test "resize-cache makes a cache that its own check accepts" {
    cache lrg.csv
    assert_success
    assert_output --regexp '^resize-cache: 6 pictures, 6 decoded, 0 kept, 0 left out, 0 decoder warnings, [0-9.]+ s$'
    run "$BIN/resize-cache" --check x.cache
    assert_success
    assert_output ""
    [ -e x.cache.sources ]
    assert_equal "$(find . -name '*.tmp.*')" ""
}

@test "the bytes of a cache are the same on any number of threads and in any row order" {
    cache --threads 1 lrg.csv
    assert_success
    (head -n 1 lrg.csv; tail -n +2 lrg.csv | sort -r) >turned.csv
    run "$BIN/resize-cache" --size 64 --threads 7 --images pictures -o y.cache - <turned.csv
    assert_success
    cmp x.cache y.cache
}

@test "a touched but equal picture leaves the cache alone, a changed one is the only one decoded" {
    cache lrg.csv
    touch -d '2001-01-01' x.cache
    touch -d '2021-01-01' pictures/444.jpg
    cache lrg.csv
    assert_output --partial "0 decoded, 6 kept"
    assert_output --partial "unchanged"
    assert_equal "$(date -r x.cache +%Y)" 2001
    cp pictures/420.jpg pictures/444.jpg
    cache lrg.csv
    assert_output --partial "1 decoded, 5 kept"
    refute_output --partial "unchanged"
    # one byte more or less in a comment, say: the same length, and the time put back
    touch -d '2020-01-01' pictures/444.jpg
    sleep 2.2 # younger files are read in any case
    cache lrg.csv
    cp -p pictures/444.jpg was.jpg
    printf '\0' | dd of=pictures/444.jpg bs=1 seek=$(($(stat -c %s was.jpg) - 3)) conv=notrunc status=none
    touch -r was.jpg pictures/444.jpg
    cache lrg.csv
    assert_output --partial "1 decoded, 5 kept"
    run "$BIN/resize-cache" --check x.cache
    assert_success
}

@test "a truncated JPEG is named and nothing is written" {
    truncate -s 700 pictures/444.jpg
    cache lrg.csv
    assert_failure 3
    assert_line --index 0 "resize-cache: pictures/444.jpg: a truncated JPEG: the file ends early"
    assert_line --index 1 --partial "1 of 6 pictures cannot be used, 0 may be (--max-bad)"
    assert_equal "$(find . -name 'x.cache*')" ""
}

@test "--max-bad leaves so many unreadable pictures out and says which" {
    echo "no picture" >pictures/444.jpg
    rm pictures/cmyk.jpg
    cache --max-bad 1 lrg.csv
    assert_failure 3
    assert_output --partial "2 of 6"
    cache --max-bad 2 lrg.csv
    assert_success
    assert_line --index 0 "resize-cache: pictures/444.jpg: is neither JPEG nor PNG (convert it)"
    assert_line --index 1 --partial "pictures/cmyk.jpg: cannot open"
    assert_line --index 2 --partial "4 pictures, 4 decoded, 0 kept, 2 left out"
}

@test "a JPEG that lacks only its end marker is used, with the same pixels, and named; one byte more is missed" {
    cache lrg.csv
    cp x.cache whole.cache
    for name in 444 420 exif6; do truncate -s -2 pictures/$name.jpg; done
    rm x.cache
    cache lrg.csv
    assert_success
    for name in 444 420 exif6; do
        assert_line --partial "pictures/$name.jpg: its end marker is missing, but all of its pixels are there (used"
    done
    cmp x.cache whole.cache
    truncate -s -3 pictures/444.jpg
    cache lrg.csv
    assert_failure 3
    assert_line --partial "pictures/444.jpg: a truncated JPEG: the file ends early"
}

# holed NAME: a JPEG with an end marker too early, of which libjpeg warns
holed() {
    cp pictures/444.jpg "pictures/$1"
    printf '\xff\xd9' | dd of="pictures/$1" bs=1 seek=$(($(stat -c %s pictures/444.jpg) - 60)) conv=notrunc 2>/dev/null
    echo "$1,a" >>lrg.csv
}

@test "pictures that libjpeg warns of are named with its words, three of them, and all in FILE.sources" {
    for i in 1 2 3 4 5; do holed "hole $i.jpg"; done
    cache lrg.csv
    assert_success
    for i in 1 2 3; do
        assert_line --regexp "^resize-cache: pictures/hole $i.jpg: Corrupt JPEG data: .* \(used all"
    done
    assert_line "resize-cache: 2 more are named in x.cache.sources"
    assert_equal "$(grep -c $'^hole [1-5].jpg\t.*\t[0-9a-f]*\tCorrupt JPEG data: ' x.cache.sources)" 5
    # Kept pictures keep their remark.
    cp x.cache.sources before
    cache lrg.csv
    assert_line --partial "pictures/hole 3.jpg: Corrupt JPEG data: "
    assert_line "resize-cache: 2 more are named in x.cache.sources"
    assert_output --partial "0 decoded, 11 kept"
    cmp x.cache.sources before
}

@test "what was left out is in FILE.sources, and in time the picture is taken after all" {
    mv pictures/444.jpg away.jpg
    cache --max-bad 1 lrg.csv
    assert_success
    grep $'^444.jpg\t.*\t-\tpictures/444.jpg: cannot open' x.cache.sources
    mv away.jpg pictures/444.jpg
    cache lrg.csv
    assert_output --partial "1 decoded, 5 kept, 0 left out"
    run cut -f 5 x.cache.sources
    refute_output --partial "cannot"
}

@test "a picture that claims huge dimensions is refused quickly" {
    # a PNG head of 65535 x 65535, and a JPEG whose frame says the same
    printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x02\0\0\0\x39\x67\x4e\x07\0\0\0\0'\
'IDAT\x35\xaf\x06\x1e' \
        >pictures/444.jpg
    printf '\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\x03\x01\x22\0\x02\x11\x01\x03\x11\x01'\
'\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\x3f\0\xff\xd9' \
        >pictures/420.jpg
    cache lrg.csv
    assert_failure 3
    assert_line --partial "pictures/444.jpg: 65535 x 65535 pixels are more than"
    assert_line --partial "pictures/420.jpg: 65500 x 65500 pixels are more than"
    assert_output --partial "2 of 6"
}

@test "a PNG with damaged chunks, an empty file and a folder are bad pictures" {
    truncate -s 60 pictures/palette.png
    truncate -s 4060 pictures/palette.png
    : >pictures/444.jpg
    rm pictures/420.jpg
    mkdir pictures/420.jpg
    cache --max-bad 2 lrg.csv
    assert_failure 3
    assert_output --partial "pictures/palette.png"
    assert_output --partial "pictures/444.jpg: is empty"
    assert_output --partial "pictures/420.jpg: is a directory"
    assert_output --partial "3 of 6"
}

@test "a named pipe and a device are bad pictures, not waited for or read for ever" {
    rm pictures/444.jpg pictures/420.jpg
    mkfifo pictures/444.jpg
    ln -s /dev/zero pictures/420.jpg
    run timeout 20 "$BIN/resize-cache" --size 64 --images pictures -o x.cache lrg.csv
    assert_failure 3
    assert_line --partial "pictures/444.jpg: is a pipe or a device, a regular file is needed"
    assert_line --partial "pictures/420.jpg: is a pipe or a device, a regular file is needed"
    assert_output --partial "2 of 6"
}

@test "CSV files that name no pictures are refused with file and line" {
    : >x.csv
    cache x.csv
    fails 3 x.csv "names no pictures"
    printf 'fn,cat\n' >x.csv
    cache x.csv
    fails 3 x.csv "names no pictures"
    printf 'name,cat\na,b\n' >x.csv
    cache x.csv
    fails 3 x.csv:1 "'fn'"
    printf 'fn,cat\n../../etc/passwd,b\n' >x.csv
    cache x.csv
    fails 3 x.csv:2 "leads out of the folder"
    printf 'fn,cat\n"a,b\n' >x.csv
    cache x.csv
    fails 3 x.csv
    cache missing.csv
    fails 3 missing.csv "cannot open"
}

@test "a cut or damaged cache fails --check silently with 1" {
    cache lrg.csv
    size=$(stat -c %s x.cache)
    for n in 0 5 127 128 5000 $((size - 1)); do
        head -c "$n" x.cache >short
        run "$BIN/resize-cache" --check short
        assert_failure 1
        assert_output ""
    done
    for at in 0 9 40 100 3000 $((size - 5)); do
        cp x.cache hurt
        printf '\x5a\xa5' | dd of=hurt bs=1 seek="$at" conv=notrunc status=none
        run "$BIN/resize-cache" --check hurt
        assert_failure 1
        assert_output ""
    done
    run "$BIN/resize-cache" --check missing
    assert_failure 1
}

@test "a damaged cache that is there is made anew" {
    cache lrg.csv
    cp x.cache good
    head -c 5000 good >x.cache
    cache lrg.csv
    assert_success
    assert_output --partial "6 decoded"
    cmp x.cache good
}

@test "a flipped byte is repaired by the next run, which says so; a sound cache keeps its time" {
    cache lrg.csv
    cp x.cache good
    printf '\x5a\xa5' | dd of=x.cache bs=1 seek=3000 conv=notrunc status=none
    run "$BIN/resize-cache" --check x.cache
    assert_failure 1
    cache lrg.csv
    assert_success
    assert_output --regexp '6 pictures, 1 decoded, 5 kept, .* s, 1 damaged in the old cache made anew$'
    cmp x.cache good
    printf '\x5a\xa5' | dd of=x.cache bs=1 seek=3000 conv=notrunc status=none
    rm x.cache.sources
    cache lrg.csv
    assert_output --regexp '6 pictures, 6 decoded, 0 kept, .* s, 1 damaged in the old cache made anew$'
    cmp x.cache good
    touch -d '2001-01-01' x.cache
    cache lrg.csv
    assert_output --regexp ' s, unchanged$'
    assert_equal "$(date -r x.cache +%Y)" 2001
}

@test "usage errors are one line and code 2, an unwritable place is code 4" {
    run "$BIN/resize-cache" --size 100 --images pictures -o x.cache lrg.csv
    fails 2 "multiple of 32"
    run "$BIN/resize-cache" -o x.cache lrg.csv
    fails 2 "--images"
    run "$BIN/resize-cache" --images pictures -o x.cache
    fails 2
    run "$BIN/resize-cache" --images pictures -o - lrg.csv
    fails 2 "standard output"
    run "$BIN/resize-cache" --thread 2 --images pictures -o x.cache lrg.csv
    fails 2 "--threads"
    run "$BIN/resize-cache" --images pictures -o nowhere/x.cache lrg.csv
    fails 4 nowhere/x.cache
}

@test "resize-cache tells its libraries and shows examples" {
    run "$BIN/resize-cache" --version
    assert_success
    assert_output --partial libjpeg-turbo
    assert_output --partial libpng
    run "$BIN/resize-cache" --help
    assert_success
    assert_output --partial EXAMPLES
    assert_output --partial "[224]"
}

@test "real photos make the same cache on one thread and on two" {
    voc=$BATS_TEST_DIRNAME/../../../shared/data/voc2007
    [ -d "$voc/JPEGImages" ] || skip "no ../shared/data/voc2007"
    (echo fn,cat; head -n 60 "$voc/ImageSets/Main/train.txt" | sed 's/$/.jpg,x/') >real.csv
    for n in 1 2; do
        run "$BIN/resize-cache" --threads $n --images "$voc/JPEGImages" -o $n.cache real.csv
        assert_success
        assert_output --partial "60 pictures, 60 decoded"
    done
    cmp 1.cache 2.cache
}

@test "a cache needs a regular file to go to" {
    ln -s /dev/null x.sink # were it renamed over, only the link would be lost
    run "$BIN/resize-cache" --size 64 --images pictures -o x.sink lrg.csv
    fails 3 x.sink "regular file"
    [ -c x.sink ]
}
