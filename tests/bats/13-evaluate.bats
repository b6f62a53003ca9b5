#!/usr/bin/env bats
# evaluate: predictions against annotations.

bats_require_minimum_version 1.5.0

setup() {
    load voc_helper
    anno=$BATS_TEST_TMPDIR/anno.tsv
    pred=$BATS_TEST_TMPDIR/pred.tsv
    out=$BATS_TEST_TMPDIR/metrics.json
    printf '%s\n' "image_id	file_name	width	height	category	y1	x1	y2	x2	ignore" \
        "1	a.jpg	100	100	cat	0	0	49	49	0" "1	a.jpg	100	100	dog	60	60	99	99	0" \
        "2	b.jpg	100	100	cat	10	10	19	19	0" >"$anno"
    head='file_name	category	probability	y1	x1	y2	x2'
    printf '%s\n' "$head" "a.jpg	dog	0.500000	60.00	60.00	99.00	99.00" "b.jpg	cat	0.500000	10.00	10.00	19.00	19.00" \
        >"$pred"
}

@test "evaluate prints help with examples and a version" {
    help_is_complete "$BIN/evaluate"
}

@test "the table goes to standard output and the metrics to a file" {
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred" -o "$out"
    assert_success
    said ""
    assert_line --regexp '^2 pictures judged'
    assert_line --regexp '^class accuracy +0\.5000 +0\.3536$'
    assert_line --regexp '^LocAcc@0.5, largest object +0\.5000'
    assert_line --regexp '^LocAcc@0.5, any object +1\.0000'
    assert_line --regexp '^cat +2 +1 +0\.500 +1\.000'
    run "$BIN/evaluate" --check "$out"
    assert_success
    assert_output ""
    grep -q '"locacc_largest": {"value": 0.500000' "$out"
    run "$BIN/evaluate" --check "$pred"
    assert_failure 1
    assert_output ""
}

@test "the table leaves out what a classifier or a box regressor has not" {
    printf '%s\n' "$head" "a.jpg	dog	0.500000	-	-	-	-" "b.jpg	cat	0.500000	-	-	-	-" >"$pred"
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred"
    assert_success
    assert_equal "${#lines[@]}" 6
    assert_line --index 2 --regexp '^class accuracy +0\.5000 +0\.3536$'
    assert_line --index 3 --regexp '^class +n predicted  recall precision$'
    assert_line --index 4 --regexp '^cat +2 +1 +0\.500 +1\.000$'
    printf '%s\n' "$head" "a.jpg	-	-	0	0	49	49" "b.jpg	-	-	10	10	19	19" >"$pred"
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred"
    assert_success
    refute_output --regexp 'accuracy|LocAcc|precision'
    assert_line --regexp '^class +n +L1 +IoU +IoU>=\.5$'
    assert_line --regexp '^cat +2 +[0-9.]+ +1\.000 +1\.000$'
}

@test "a box is judged against either of two objects of nearly one size" {
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred" -o "$out" --near 0.63
    assert_success
    assert_line --regexp '^IoU >= 0\.5 +0\.5000'
    assert_line --regexp '^IoU >= 0\.5 with either +1\.0000 +0\.0000$'
    assert_line "(either: of 1 pictures whose second object has 0.63 of the largest one's area)"
    grep -q '"either": {"near": 0.63, "n": 1, "value": 1.000000, "se": 0.000000}' "$out"
    "$BIN/evaluate" --check "$out"
    sed -i 's/60.00	60.00	99.00	99.00/30.00	30.00	79.00	79.00/' "$pred" # between the two
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred" --near 0.63
    assert_line --regexp '^IoU >= 0\.5 with either +0\.0000'
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred" --near 0.64 -o -
    assert_line --regexp '"either": \{"near": 0.64, "n": 0, "value": null, "se": null\}'
    run "$BIN/evaluate" --anno "$anno" --pred "$pred" -o -
    refute_output --partial either
}

@test "a class called - is judged like any other" {
    sed -i '2,$s/\tcat\t/\t-\t/' "$anno" "$pred"
    sed -i "1s/\$/\tcategory_1\tprobability_1/; 2s/\$/\t-\t0.5/; 3s/\$/\tdog\t0.5/" "$pred"
    "$BIN/predict" --check "$pred"
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred" -o "$out"
    assert_success
    assert_line --regexp '^class accuracy +0\.5000 +0\.3536$'
    assert_line --regexp '^- +2 +1 +0\.500 +1\.000'
    "$BIN/evaluate" --check "$out"
    grep -q '"name": "-"' "$out"
}

@test "the metrics alone go to standard output on request, and are JSON" {
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred - -o - <"$pred"
    assert_success
    assert_line --index 0 "{"
    refute_output --partial "pictures judged"
    echo "$output" >"$out"
    run "$BIN/evaluate" --check "$out"
    assert_success
}

@test "no file is written without -o" {
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred"
    assert_success
    [ ! -e "$out" ]
}

@test "true boxes of VOC 2007 are right in every figure, and L1 in the frame stays under half a pixel" {
    need_shared voc2007
    "$BIN/json2anno" -o "$anno" "$SHARED/voc2007/annotations/pascal_val2007.json"
    "$BIN/largest" -o "$BATS_TEST_TMPDIR/largest.tsv" "$anno"
    awk -F'\t' -v OFS='\t' -v head="$head" 'NR == 1 { print head; next } { print $2, $5, 1, $6, $7, $8, $9 }' \
        "$BATS_TEST_TMPDIR/largest.tsv" >"$pred"
    run --separate-stderr "$BIN/evaluate" --anno "$anno" --pred "$pred" -o "$out"
    assert_success
    for name in accuracy mean_iou iou_half locacc_largest locacc_any; do
        grep -q "\"$name\": {\"value\": 1.000000, \"se\": 0.000000}" "$out"
    done
    grep -q '"l1": {"value": 0\.[0-4]' "$out"
}

@test "predictions of unknown pictures are refused, or left out on request" {
    printf 'z.jpg\tcat\t1\t0\t0\t1\t1\n' >>"$pred"
    refused 3 "pred.tsv: 1 of 3 predicted pictures have no annotated object: z.jpg" "$out" \
        "$BIN/evaluate" --anno "$anno" --pred "$pred" -o "$out"
    run --separate-stderr "$BIN/evaluate" --skip-unknown --anno "$anno" --pred "$pred" -o "$out"
    assert_success
    assert_line --partial "1 without one left out"
}

@test "broken predictions are refused" {
    bad() {
        refused 3 "pred.tsv$1" "$out" "$BIN/evaluate" --anno "$anno" --pred "$pred" -o "$out"
    }
    : >"$pred"
    bad ": is empty"
    echo "$head" >"$pred"
    bad ": there are no predictions to judge"
    printf '%s\n' "$head" "a.jpg	dog	0.5	60	60	99" >"$pred"
    bad ":2: 6 columns, the header has 7"
    printf '%s\n' "$head" "a.jpg	dog	1.5	60	60	99	99" >"$pred"
    bad ":2: probability '1.5'"
    printf '%s\n' "$head" "a.jpg	dog	0.5	60	nan	99	99" >"$pred"
    bad ":2: x1 'nan' is not a number"
    printf '%s\n' "$head" "a/../../b.jpg	dog	0.5	60	60	99	99" >"$pred"
    bad ":2: file name 'a/../../b.jpg' leads out of the folder of the pictures"
    printf '%s\n' "$head" "a.jpg	dog	0.5	60	60	99	99" "a.jpg	dog	0.5	60	60	99	99" >"$pred"
    bad ":3: a.jpg is there twice"
    printf '%s\n' "$head" "a.jpg	dog	0.5	60	60	99	99" "b.jpg	dog	0.5	-	-	-	-" >"$pred"
    bad ": b.jpg has a class"
    printf '%s\n%s' "$head" "a.jpg	dog	0.5	60	60	99	99" >"$pred"
    bad ":2: the last line does not end"
    head -c 300 /dev/urandom >"$pred"
    bad ""
}

@test "missing files and options are named" {
    refused 3 "none.tsv: cannot open" "$out" "$BIN/evaluate" --anno "$BATS_TEST_TMPDIR/none.tsv" --pred "$pred" \
        -o "$out"
    refused 3 "none.tsv: cannot open" "$out" "$BIN/evaluate" --anno "$anno" --pred "$BATS_TEST_TMPDIR/none.tsv" \
        -o "$out"
    refused 2 "--pred FILE is needed" "$out" "$BIN/evaluate" --anno "$anno" -o "$out"
    refused 2 "one file name too many" "$out" "$BIN/evaluate" --anno "$anno" --pred "$pred" extra
    refused 3 "pred.tsv:1: no annotation table" "$out" "$BIN/evaluate" --anno "$pred" --pred "$pred" -o "$out"
}

@test "with --all each object counts: average precision by VOC's rule, for every class" {
    local ap=$BATS_TEST_DIRNAME/../golden/ap
    run --separate-stderr "$BIN/evaluate" --all --anno "$ap/anno.tsv" --pred "$ap/pred.tsv" -o "$out"
    assert_success
    said ""
    cmp "$out" "$ap/metrics.json"
    assert_line --index 0 "63 objects in 30 pictures, 85 predicted; 12 to be ignored are neither right nor wrong"
    assert_line --regexp '^dog +18 +18 +0\.1870 +0\.1758$'
    assert_line --regexp '^unseen +0 +8 +- +-$'
    assert_line --index -1 --regexp '^mean +63 +85 +0\.3613 +0\.3658$'
    "$BIN/evaluate" --check "$out"
    sed 's/"ap50": 0\.361282/"ap50": 1.361282/' "$out" >"$BATS_TEST_TMPDIR/bad.json"
    run "$BIN/evaluate" --check "$BATS_TEST_TMPDIR/bad.json"
    assert_failure 1
    assert_output ""
    sed '/"ignored"/d' "$out" >"$BATS_TEST_TMPDIR/bad.json"
    run "$BIN/evaluate" --check "$BATS_TEST_TMPDIR/bad.json"
    assert_failure 1
}

@test "a table of all objects is no table of largest ones, and pictures must be of the same set" {
    local ap=$BATS_TEST_DIRNAME/../golden/ap
    "$BIN/predict" --check "$ap/pred.tsv"
    run "$BIN/evaluate" --anno "$ap/anno.tsv" --pred "$ap/pred.tsv"
    assert_failure 3
    assert_output --regexp "^evaluate: .*/pred.tsv:3: 00.jpg is there twice; .* evaluate --all$"
    run "$BIN/evaluate" --all --anno "$anno" --pred "$ap/pred.tsv"
    assert_failure 3
    assert_output --regexp "pred.tsv: 30 of 30 pictures are not in the annotations: 00.jpg, 01.jpg, 02.jpg, ...; "
    # rows of a picture stand together
    sed -n 2p "$ap/pred.tsv" | cat "$ap/pred.tsv" - >"$pred"
    run "$BIN/evaluate" --all --anno "$ap/anno.tsv" --pred "$pred"
    assert_failure 3
    assert_output --partial "00.jpg is there twice"
}
