# draw-set: what it draws, that it draws the same again, and what it refuses.

load voc_helper
bats_require_minimum_version 1.5.0

setup_file() {
    "$BIN/draw-set" --pictures 120 --size 96 -o "$BATS_FILE_TMPDIR/set" 2>"$BATS_FILE_TMPDIR/said"
}

setup() {
    set=$BATS_FILE_TMPDIR/set
    work=$BATS_TEST_TMPDIR/work # nothing but what draw-set leaves
    out=$work/out
    mkdir "$work"
}

# there: names of what is in a folder, in one line.
there() {
    (cd "$1" && printf '%s\n' * | tr '\n' ' ' | sed 's/ $//')
}

# All annotations of the set as a table, difficult objects with 1 in the last column.
anno() {
    "$BIN/voc2json" --split trainval -o "$BATS_TEST_TMPDIR/json" "$set" 2>/dev/null
    "$BIN/json2anno" --keep-ignored -o - "$BATS_TEST_TMPDIR/json" 2>/dev/null | tail -n +2
}

# alike A B: the same files with the same bytes.
alike() {
    diff -r "$1" "$2"
}

@test "draw-set has help, version and a check" {
    help_is_complete "$BIN/draw-set"
}

@test "a set has a picture and an annotation for each number, and VOC's three lists" {
    assert_equal "$(ls "$set")" "$(printf '%s\n' Annotations ImageSets JPEGImages drawn.txt)"
    assert_equal "$(ls "$set/JPEGImages")" "$(printf '%06d.jpg\n' {1..120})"
    assert_equal "$(ls "$set/Annotations")" "$(printf '%06d.xml\n' {1..120})"
    assert_equal "$(cat "$set/ImageSets/Main/trainval.txt")" "$(printf '%06d\n' {1..120})"
    assert_equal "$(cat "$set/ImageSets/Main/val.txt")" "$(printf '%06d\n' {5..120..5})"
    assert_equal "$(sort "$set"/ImageSets/Main/{train,val}.txt)" "$(cat "$set/ImageSets/Main/trainval.txt")"
    grep -q '^draw-set: 120 pictures, 6 classes, ' "$BATS_FILE_TMPDIR/said"
}

@test "every annotation passes voc2json, no box is cut or dropped, sizes are those of the JPEGs" {
    run --separate-stderr "$BIN/voc2json" --split trainval -o "$out" "$set"
    assert_success
    # shellcheck disable=SC2154 # set by run --separate-stderr
    [[ $stderr == "voc2json: a VOC devkit: XML in Annotations; pictures in JPEGImages"$'\n'* ]]
    [[ ${stderr#*JPEGImages?} =~ ^voc2json:\ 120\ images,\ [0-9]+\ objects,\ [0-9]+\ difficult,\ 6\ classes$ ]]
    anno | cut -f 2-4 | sort -u >"$BATS_TEST_TMPDIR/sizes"
    while read -r name width height; do
        # SOF0 of a baseline JPEG: marker ff c0, length, 8 bits, height, width
        got=$(od -An -v -tx1 "$set/JPEGImages/$name" | tr -d ' \n' | grep -o 'ffc0001108........' | head -n 1)
        assert_equal "${got:10}" "$(printf '%04x%04x' "$height" "$width")"
    done <"$BATS_TEST_TMPDIR/sizes"
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/sizes")" 120
    # square, landscape and portrait, the shorter side as asked for
    assert_equal "$(cut -f 2,3 "$BATS_TEST_TMPDIR/sizes" | sort -u | tr '\t\n' 'x ')" "128x96 96x128 96x96 "
}

@test "in each picture one object is 1.5 times as large as any other, and is not difficult" {
    anno | awk -F '\t' '
        { s = ($8 - $6) * ($9 - $7); n[$2]++
          if (s > first[$2]) { second[$2] = first[$2]; first[$2] = s; ignored[$2] = $10 }
          else if (s > second[$2]) second[$2] = s }
        END { for (p in n) { pictures++; several += n[p] > 1
                if (first[p] < 1.5 * second[p]) { print p, first[p], second[p]; bad++ }
                if (ignored[p]) { print p, "largest is difficult"; bad++ } }
              exit bad > 0 || pictures != 120 || several < 60 }'
}

@test "all classes, difficult, truncated and occluded objects occur" {
    for class in boat fish flower house star tree; do
        [ "$(anno | awk -F '\t' -v c=$class '$5 == c' | wc -l)" -ge 20 ]
    done
    [ "$(anno | awk -F '\t' '$10' | wc -l)" -ge 15 ]
    for word in truncated occluded difficult; do
        for value in 0 1; do
            [ "$(cat "$set"/Annotations/*.xml | grep -c "<$word>$value</$word>")" -ge 15 ]
        done
    done
    # cut objects touch the picture's edge
    awk '/<width>/ { split($0, p, /[<>]/); w = p[3] } /<height>/ { split($0, p, /[<>]/); h = p[3] }
        /<truncated>/ { split($0, p, /[<>]/); cut = p[3] }
        /<(xmin|ymin|xmax|ymax)>/ { split($0, p, /[<>]/); v[p[2]] = p[3] }
        /<\/bndbox>/ && cut { n++; if (v["xmin"] > 1 && v["ymin"] > 1 && v["xmax"] < w && v["ymax"] < h) bad++ }
        END { exit n < 15 || bad > 0 }' "$set"/Annotations/*.xml
}

@test "the same seed gives the same bytes on any number of threads, another seed others" {
    "$BIN/draw-set" --pictures 24 --size 64 --seed 5 --threads 1 -o "$out.1"
    "$BIN/draw-set" --pictures 24 --size 64 --seed 5 --threads 5 -o "$out.5"
    alike "$out.1" "$out.5"
    "$BIN/draw-set" --pictures 24 --size 64 --seed 6 -o "$out.6"
    run -1 cmp -s "$out.1/JPEGImages/000001.jpg" "$out.6/JPEGImages/000001.jpg"
    run -1 cmp -s "$out.1/JPEGImages/000001.jpg" "$out.1/JPEGImages/000002.jpg"
}

@test "a smaller set is the beginning of a larger one" {
    "$BIN/draw-set" --pictures 10 --size 96 -o "$out"
    for number in 000001 000010; do
        cmp "$out/JPEGImages/$number.jpg" "$set/JPEGImages/$number.jpg"
        cmp "$out/Annotations/$number.xml" "$set/Annotations/$number.xml"
    done
}

@test "the same set again leaves the files alone; another replaces them" {
    "$BIN/draw-set" --pictures 6 --size 64 -o "$out"
    before=$(find "$out" -printf '%p %T@ %i\n' | sort)
    run --separate-stderr "$BIN/draw-set" --pictures 6 --size 64 -o "$out/"
    assert_success
    said_part ", unchanged"
    assert_equal "$(find "$out" -printf '%p %T@ %i\n' | sort)" "$before"
    "$BIN/draw-set" --pictures 3 --size 64 --seed 9 -o "$out"
    assert_equal "$(there "$out/JPEGImages")" "000001.jpg 000002.jpg 000003.jpg"
    "$BIN/draw-set" --check "$out"
    # a damaged one is drawn anew
    echo >"$out/JPEGImages/000002.jpg"
    run --separate-stderr "$BIN/draw-set" --pictures 3 --size 64 --seed 9 -o "$out"
    refute [ "${stderr##*, }" = unchanged ]
    "$BIN/draw-set" --check "$out"
    assert_equal "$(there "$work")" out
}

@test "an empty folder and a link to a folder are filled" {
    mkdir "$out"
    ln -s out "$work/link"
    "$BIN/draw-set" --pictures 2 --size 32 -o "$work/link"
    [ -L "$work/link" ]
    assert_equal "$(there "$work")" "link out"
    "$BIN/draw-set" --check "$out"
}

@test "--check tells a whole set from a changed one, silently" {
    run -0 --separate-stderr "$BIN/draw-set" --check "$set"
    assert_equal "$output$stderr" ""
    broken() { # COMMAND on a fresh copy
        rm -rf "$out"
        cp -r "$set" "$out"
        (cd "$out" && eval "$1")
        run -1 --separate-stderr "$BIN/draw-set" --check "$out"
        assert_equal "$output$stderr" ""
    }
    broken 'rm JPEGImages/000007.jpg'
    broken 'printf x >>JPEGImages/000007.jpg'
    broken 'sed -i s/flower/tree/ Annotations/*.xml'
    broken 'sed -i 1d ImageSets/Main/val.txt'
    broken 'sed -i "s/^pictures .*/pictures 119/" drawn.txt'
    broken 'sed -i "s/^pictures .*/pictures 99999999999999999999/" drawn.txt'
    broken 'head -c 40 drawn.txt >x && mv x drawn.txt'
    broken ': >drawn.txt'
    broken 'rm drawn.txt'
    run -1 "$BIN/draw-set" --check "$BATS_TEST_TMPDIR"
}

@test "folders that hold anything else are refused and left alone" {
    mkdir -p "$out/photos"
    refused 2 "out: is there and was not drawn by draw-set: name another folder" /none "$BIN/draw-set" -o "$out"
    [ -d "$out/photos" ]
    rm -r "$out"
    echo text >"$out"
    refused 2 "out: is there and is not a folder" /none "$BIN/draw-set" -o "$out"
    assert_equal "$(cat "$out")" text
    rm "$out"
    "$BIN/draw-set" --pictures 4 --size 32 -o "$out"
    for stranger in mine.txt JPEGImages/000005.jpg Annotations/photo.xml ImageSets/Main/mine.txt; do
        echo mine >"$out/$stranger"
        refused 2 "out${stranger:+/}$stranger: is not a drawing of this set: move it away or name another folder" \
            /none \
            "$BIN/draw-set" --pictures 2 -o "$out"
        assert_equal "$(cat "$out/$stranger")" mine
        rm "$out/$stranger"
    done
    "$BIN/draw-set" --check "$out"
}

@test "wrong command lines are refused" {
    refused 2 "--pictures" "$out" "$BIN/draw-set" --pictures 0 -o "$out"
    refused 2 "--pictures" "$out" "$BIN/draw-set" --pictures 100001 -o "$out"
    refused 2 "--size" "$out" "$BIN/draw-set" --size 31 -o "$out"
    refused 2 "--seed" "$out" "$BIN/draw-set" --seed -1 -o "$out"
    refused 2 "" "$out" "$BIN/draw-set" --pictures 2
    refused 2 "the folder's name is empty" "$out" "$BIN/draw-set" --pictures 2 -o ''
    refused 2 "" "$out" "$BIN/draw-set" -o "$out" more
}

@test "what the system refuses leaves nothing behind and an older set as it was" {
    refused 4 "none/out: cannot make the folder: No such file or directory" "$out" \
        "$BIN/draw-set" --pictures 2 -o "$work/none/out"
    "$BIN/draw-set" --pictures 2 --size 32 -o "$out"
    cp -r "$out" "$BATS_TEST_TMPDIR/copy"
    # no file may grow beyond 1 KiB: as on a full disk, writing fails half-way
    run --separate-stderr bash -c "trap '' XFSZ; ulimit -f 1; '$BIN/draw-set' --pictures 40 -o '$out'"
    assert_failure 4
    [[ $stderr =~ ^draw-set:\ [^:]*:\ cannot\ write:\ File\ too\ large$ ]]
    alike "$out" "$BATS_TEST_TMPDIR/copy"
    assert_equal "$(there "$work")" out
}

@test "a full disk leaves nothing behind" {
    disk=$BATS_TEST_TMPDIR/disk
    mkdir "$disk"
    mount -t tmpfs -o size=200k tmpfs "$disk" 2>/dev/null || skip "no right to mount a small disk"
    run --separate-stderr "$BIN/draw-set" --pictures 200 -o "$disk/set"
    left=$(ls -A "$disk")
    umount "$disk"
    assert_failure 4
    said_part "No space left on device"
    assert_equal "$left" ""
}

@test "a signal ends it and leaves nothing behind" {
    ulimit -c 0
    for signal in TERM:143 XCPU:152; do
        "$BIN/draw-set" --pictures 20000 -o "$out" 2>/dev/null 3>&- &
        program=$!
        until compgen -G "$out.tmp.*/JPEGImages/*.jpg" >/dev/null; do sleep 0.02; done
        kill "-${signal%:*}" $program
        status=0
        wait $program || status=$?
        assert_equal "$status" "${signal#*:}"
        assert_equal "$(ls -A "$work")" ""
    done
}

@test "several draw-sets of one folder do not meet, and one that was killed is cleared away" {
    mkdir -p "$out.tmp.1/JPEGImages" # nobody's any more
    for seed in 1 1 1 1; do
        "$BIN/draw-set" --pictures 12 --seed $seed --threads 1 -o "$out" 3>&- &
    done
    for job in $(jobs -p); do wait "$job"; done
    "$BIN/draw-set" --check "$out"
    [ -z "$(compgen -G "$out.tmp.*")" ]
    # a folder that another one has locked is left alone
    mkdir "$out.tmp.1"
    exec 8<"$out.tmp.1"
    flock -n 8
    "$BIN/draw-set" --pictures 3 --seed 2 -o "$out"
    exec 8<&-
    [ -d "$out.tmp.1" ]
}
