# Somebody's own photos: any names of files and classes, grey and turned pictures, pictures without objects, as VOC XML
# and as COCO JSON, from the folder to the detector and one more photo.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..
photos=$root/tests/golden/image

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" "$root/recipes" .
    sed -i -E 's/^arch .*/arch tiny/; s/^size .*/size 32/; s/^batch .*/batch 8/; s/epochs [0-9]+/epochs 1/' \
        recipes/*.recipe
    mkdir -p mine/Annotations mine/JPEGImages coco/images coco/annotations
    local files=(grey exif1 exif3 exif6 exif8 cmyk ycck 420 422 444 progressive optimized) i name width height \
        objects images='' boxes='' class
    for ((i = 0; i < 24; i++)); do
        name="my photo ($i).jpg"
        cp "$photos/${files[i % 12]}.jpg" "mine/JPEGImages/$name"
        cp "$photos/${files[i % 12]}.jpg" "coco/images/$name"
        width=33 height=22
        # tools show a turned photo upright
        case ${files[i % 12]} in exif6 | exif8) width=22 height=33 ;; esac
        class=$((i % 2))
        objects=
        if ((i % 8 != 7)); then
            objects="<object><name>$([ $class = 0 ] && echo 'Öl &amp; Essig' || echo 'a, "b"')</name>
                <bndbox><xmin>3.5</xmin><ymin>4</ymin><xmax>18</xmax><ymax>19.5</ymax></bndbox></object>"
            boxes+="${boxes:+, }{\"id\": $i, \"image_id\": $i, \"category_id\": $((class + 5)),
                \"bbox\": [2.5, 3, 15.5, 16], \"area\": 248, \"iscrowd\": 0}"
        fi
        echo "<annotation><filename>$name</filename>
            <size><width>$width</width><height>$height</height><depth>3</depth></size>$objects</annotation>" \
            >"mine/Annotations/my photo ($i).xml"
        images+="${images:+, }{\"id\": $i, \"file_name\": \"images/$name\", \"width\": $width, \"height\": $height}"
    done
    echo "{\"images\": [$images], \"annotations\": [$boxes],
        \"categories\": [{\"id\": 5, \"name\": \"Öl & Essig\"}, {\"id\": 6, \"name\": \"a, \\\"b\\\"\"}]}" \
        >coco/annotations/instances_default.json
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

mk() {
    env -i PATH="$PATH" HOME="$HOME" ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" \
        make --no-print-directory BIN="$BIN" SIZE=32 WEIGHTS=none "$@"
}

@test "VOC XML of one's own becomes a detector" {
    run mk detn VOC=mine OUT=voc
    assert_success
    assert_output --partial "24 images, 21 objects"
    assert_output --partial "largest: 21 pictures"
    assert_output --partial "21 decoded, 0 kept, 0 left out, 0 decoder warnings"
    [ "$(tail -n +2 voc/largest.tsv | cut -f 5 | LC_ALL=C sort -u)" = $'a, "b"\nÖl & Essig' ]
    [ -s voc/detn.ckpt ]
    [ -s voc/detn.grid.png ]
}

@test "COCO JSON of the same gives the same labels" {
    mk voc/lrg.csv voc/bb.csv VOC=mine OUT=voc
    run mk csv VOC=coco OUT=coco-out
    assert_success
    cmp <(sort voc/lrg.csv) <(sort coco-out/lrg.csv)
    run mk out2/detn.ckpt VOC=coco OUT=out2
    assert_success
    [ -s out2/detn.ckpt ]
}

@test "a missing picture is named with the way past it, which leaves it out and the split of the rest as it was" {
    "$BIN/draw-set" --pictures 24 -o drawn >/dev/null 2>&1
    mk SPLIT=trainval all-there/val.txt VOC=drawn OUT=all-there >/dev/null
    gone=$(head -n 1 all-there/val.txt)
    rm "drawn/JPEGImages/$gone"
    run mk SPLIT=trainval some/detn.metrics.json VOC=drawn OUT=some
    assert_failure
    assert_output --partial "$gone"
    local way
    way=$(grep -o -m 1 'MAX_BAD=[0-9]*' <<<"$output" | head -n 1)
    assert_equal "$way" MAX_BAD=1
    # One more that libjpeg warns of.
    local holed
    holed=drawn/JPEGImages/$(tail -n 1 all-there/val.txt)
    printf '\xff\xd9' | dd of="$holed" bs=1 seek=$(($(stat -c %s "$holed") - 60)) conv=notrunc 2>/dev/null
    run mk SPLIT=trainval some/detn.metrics.json some/report.html VOC=drawn OUT=some "$way"
    assert_success
    assert_output --regexp "resize-cache: $holed: Corrupt JPEG data: .* \(used all the same"
    assert_line --partial "train-detn: left out of some/32.cache: 1 of 24 pictures (named in some/32.cache.sources), wh"
    assert_line --partial "predict: left out of some/32.cache: 1 of the pictures in some/val.txt (named in some/32.ca"
    grep -q "^$gone.*cannot open" some/32.cache.sources
    cmp all-there/val.txt some/val.txt
    assert_equal "$(tail -n +2 some/detn.pred.tsv | cut -f 1)" "$(grep -vx "$gone" all-there/val.txt)"
    run "$BIN/predict" --ckpt some/detn.ckpt "$holed"
    assert_success
    assert_line --regexp "^predict: $holed: Corrupt JPEG data: .* \(used all the same: look at it\)$"
}

@test "a second OUT of the same pictures and size has the same cache, once on the disk" {
    mk voc/32.cache VOC=mine OUT=voc
    run mk twin/32.cache VOC=mine OUT=twin
    assert_success
    assert_line "cache: twin/32.cache begins as a link to voc/32.cache"
    assert_output --partial "0 decoded, 21 kept"
    assert_equal "$(stat -c %i twin/32.cache)" "$(stat -c %i voc/32.cache)"
    run -0 mk -q twin/32.cache VOC=mine OUT=twin
    # What changes for one of them leaves the other alone.
    sum=$(sha256sum <voc/32.cache)
    run mk other-size/64.cache VOC=mine OUT=other-size SIZE=64
    refute_output --partial "begins as a link"
    "$BIN/resize-cache" --size 32 --images mine/JPEGImages -o twin/32.cache <(head -n 5 voc/lrg.csv)
    assert_equal "$(sha256sum <voc/32.cache)" "$sum"
    run ! cmp -s twin/32.cache voc/32.cache
}

@test "one line predicts a photo and draws it" {
    mk voc/detn.ckpt VOC=mine OUT=voc
    run "$BIN/predict" --ckpt voc/detn.ckpt --save-pictures seen "mine/JPEGImages/my photo (3).jpg"
    assert_success
    assert_line --regexp $'^my photo \\(3\\)\\.jpg\t(a, "b"|Öl & Essig)\t[01]\\.[0-9]+\t'
    [ -s "seen/my photo (3).jpg" ]
}
