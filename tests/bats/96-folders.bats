# A set as annotation tools export it: pictures in folders, with equal names in two of them, a class called "-", lists
# and recipes from an editor that writes byte order marks, and what a Mac leaves beside each file; from the JSON to the
# page.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..
mark=$'\xef\xbb\xbf'

# The drawings 1 to 24 are cam0/img_1.jpg to img_12.jpg, then the same names in cam1.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" "$root/recipes" .
    sed -i -E 's/^arch .*/arch tiny/; s/^size .*/size 32/; s/^batch .*/batch 8/; s/epochs [0-9]+/epochs 1/' \
        recipes/*.recipe
    sed -i "1s/^/$mark/" recipes/detn.recipe
    "$BIN/draw-set" --pictures 24 --size 64 -o drawn
    "$BIN/voc2json" -o drawn.json drawn
    mkdir -p mine/images/cam0 mine/images/cam1 mine/annotations
    local i script='s/"name": "fish"/"name": "-"/'
    for ((i = 1; i <= 24; i++)); do
        name=cam$((i > 12))/img_$((i > 12 ? i - 12 : i)).jpg
        cp "drawn/JPEGImages/$(printf %06d "$i").jpg" "mine/images/$name"
        printf '\0\5\26\7\0\2\0\0Mac OS X        ' >"mine/images/${name%/*}/._${name#*/}"
        # as tools write it, with or without the folder of all pictures, with one slash or the other
        case $((i % 3)) in 0) name=images/$name ;; 1) name=${name/\//\\\\\\\\} ;; esac
        script+="; s,\"$(printf %06d "$i").jpg\",\"$name\","
    done
    sed "$script" drawn.json >mine/annotations/instances_default.json
    cp mine/images/cam0/._img_1.jpg mine/annotations/._instances_default.json
    printf '%s\r\n' "${mark}cam0\\img_2.jpg" cam1/img_2.jpg '' 'cam1/img_3.jpg ' >val.txt
    mk detn report
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

mk() {
    env -i PATH="$PATH" HOME="$HOME" ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" \
        make --no-print-directory BIN="$BIN" SIZE=32 WEIGHTS=none VOC=mine VAL=val.txt OUT=out "$@"
}

# names FILE COLUMN: the distinct values of that column of a TSV, in order.
names() {
    tail -n +2 "$1" | cut -f "$2" | awk '!seen[$0]++'
}

@test "folders are in the names of every table, and equal names in two folders are two pictures" {
    [ "$(names out/anno.tsv 2 | grep -c '^cam[01]/img_[0-9]*\.jpg$')" = "$(names out/anno.tsv 2 | wc -l)" ]
    names out/anno.tsv 2 | grep -qx cam0/img_2.jpg
    names out/anno.tsv 2 | grep -qx cam1/img_2.jpg
    cmp <(names out/largest.tsv 2 | sort) <(tail -n +2 out/lrg.csv | cut -d , -f 1 | sort)
    cmp <(names out/largest.tsv 2 | sort) <(names out/32.cache.sources 1 | sort)
    [ "$(names out/detn.pred.tsv 1 | xargs)" = "cam0/img_2.jpg cam1/img_2.jpg cam1/img_3.jpg" ]
    "$BIN/json2anno" --check out/anno.tsv
    "$BIN/largest" --check out/largest.tsv
    for file in out/lrg.csv out/bb.csv out/val.txt val.txt; do
        "$BIN/mkcsv" --check "$file"
    done
    "$BIN/resize-cache" --check out/32.cache
    "$BIN/predict" --check out/detn.pred.tsv
    "$BIN/report" --check out/report.html
}

@test "each picture has the boxes and pixels of its own folder" {
    # the drawings' plain names give the same but for the names: ids, sizes, classes, boxes, pixels
    "$BIN/json2anno" --images drawn/JPEGImages -o plain.tsv drawn.json
    cmp <(cut -f 1,3-4,6- plain.tsv) <(cut -f 1,3-4,6- out/anno.tsv)
    "$BIN/largest" -o plain.largest.tsv plain.tsv
    "$BIN/mkcsv" --lrg plain.csv plain.largest.tsv
    "$BIN/resize-cache" --size 32 --images drawn/JPEGImages -o plain.cache plain.csv
    cmp <(names plain.cache.sources 4 | sort) <(names out/32.cache.sources 4 | sort)
    # those of one name differ
    for cam in cam0 cam1; do
        boxes=(--kind boxes --anno out/anno.tsv --images mine/images)
        "$BIN/render" "${boxes[@]}" --image "$cam/img_2.jpg" -o $cam.png >$cam.txt
        "$BIN/render" "${boxes[@]}" --image $cam/img_2 -o $cam.stem.png >/dev/null
        cmp $cam.png $cam.stem.png
        "$BIN/render" --kind sample --cache out/32.cache --anno out/anno.tsv --image "$cam/img_2.jpg" -o $cam.s.png |
            grep -qx "$cam/img_2.jpg"
    done
    "$BIN/render" --kind boxes --anno plain.tsv --images drawn/JPEGImages --image 000014.jpg -o 14.png |
        sed 's/ fish$/ -/' | cmp - cam1.txt
    run cmp -s cam0.png cam1.png
    assert_failure 1
    run cmp -s cam0.s.png cam1.s.png
    assert_failure 1
}

@test "the folder predicts as its cache does, and drawings lie in the same folders" {
    "$BIN/predict" --ckpt out/detn.ckpt --save-pictures seen -o all.tsv mine/images
    [ "$(names all.tsv 1 | wc -l)" -eq 24 ]
    [ "$(cd seen && find . -type f | wc -l)" -eq 24 ]
    [ -s seen/cam0/img_12.jpg ]
    [ -s seen/cam1/img_12.jpg ]
    "$BIN/predict" --ckpt out/detn.ckpt --cache out/32.cache --save-pictures small -o cache.tsv
    cmp <(cut -f 1,2 cache.tsv) <(cut -f 1,2 all.tsv | grep -xFf <(cut -f 1,2 cache.tsv))
    cmp <(cd small && find . -type f | sort) <(names cache.tsv 1 | sed 's,^,./,' | LC_ALL=C sort)
    run "$BIN/evaluate" --skip-unknown --anno out/anno.tsv --pred all.tsv
    assert_success
    assert_line --regexp "^$(names out/largest.tsv 2 | wc -l) pictures judged"
}

@test "a class called - is predicted and judged" {
    names out/anno.tsv 5 | grep -qx -e -
    [ "$("$BIN/predict" --ckpt out/detn.ckpt --top 6 mine/images/cam0/img_1.jpg | tail -1 | cut -f 8- |
        tr '\t' '\n' | grep -cx -e -)" -eq 1 ]
    # predictions that are the truth
    awk -F '\t' -v OFS='\t' 'NR == 1 { print "file_name\tcategory\tprobability\ty1\tx1\ty2\tx2"; next }
        { print $2, $5, 1, $6, $7, $8, $9 }' out/largest.tsv >truth.tsv
    run "$BIN/evaluate" --anno out/anno.tsv --pred truth.tsv -o truth.json
    assert_success
    assert_line --regexp '^class accuracy +1\.0000'
    assert_line --regexp '^- +[1-9][0-9]* +[1-9][0-9]* +1\.000 +1\.000'
    "$BIN/evaluate" --check truth.json
    "$BIN/render" --kind grid --pred truth.tsv --anno out/largest.tsv --images mine/images -o truth.png >truth.txt
    grep -q '^cam[01]/img_[0-9]*.jpg - (' truth.txt
}

@test "nothing is made again until a picture in a folder changes, and a file of a Mac is no change" {
    run mk -q detn
    assert_success
    touch mine/images/cam0/._img_1.jpg
    run mk -q detn
    assert_success
    cat drawn/JPEGImages/000001.jpg >mine/images/cam1/img_12.jpg
    run mk -n cache
    assert_success
    assert_output --partial "/resize-cache --"
}
