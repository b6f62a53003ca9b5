#!/usr/bin/env bats
# largest and mkcsv: the largest object of each picture, and the label files of the trainings.

bats_require_minimum_version 1.5.0

setup() {
    load voc_helper
    anno=$BATS_TEST_TMPDIR/anno.tsv
    out=$BATS_TEST_TMPDIR/largest.tsv
    lrg=$BATS_TEST_TMPDIR/lrg.csv
    bb=$BATS_TEST_TMPDIR/bb.csv
    val=$BATS_TEST_TMPDIR/val.txt
    header='image_id	file_name	width	height	category	y1	x1	y2	x2	ignore'
}

# rows ROW…: a table with those rows; blanks stand for tabs.
rows() {
    echo "$header"
    [ $# -eq 0 ] || printf '%s\n' "$@" | tr ' ' '\t'
}

# ids ID…: a table of one picture per id.
ids() {
    local id
    echo "$header"
    for id; do
        printf '%d\t%06d.jpg\t500\t333\tcar\t1\t2\t%d\t4\t0\n' "$id" "$id" $((id % 300 + 1))
    done
}

# digest: SHA-256 of the first column of a CSV file without extensions and header.
digest() {
    tail -n +2 | cut -d. -f1 | sha256sum | cut -d' ' -f1
}

# real [ORDER]: the label files of VOC 2007 train.
real() {
    need_shared voc2007
    "$BIN/json2anno" -o "$anno" "$SHARED/voc2007/annotations/pascal_train2007.json"
    "$BIN/largest" -o "$out" "$anno"
    run --separate-stderr "$BIN/mkcsv" --order "${1:-set}" --lrg "$lrg" --bb "$bb" --val "$val" "$out"
    assert_success
    assert_output ""
}

@test "largest and mkcsv print help with examples and a version" {
    help_is_complete "$BIN/largest"
    help_is_complete "$BIN/mkcsv"
    run "$BIN/mkcsv" --help
    assert_output --partial "[42]"
    assert_output --partial "(set|id) [set]"
}

# ---------------------------------------------------------------- largest

@test "the horse of picture 17 is larger than its person" {
    rows "17 000017.jpg 480 364 person 61 184 198 278 0" "17 000017.jpg 480 364 horse 77 89 335 402 0" >"$anno"
    run --separate-stderr "$BIN/largest" -o "$out" "$anno"
    assert_success
    said "largest: 1 pictures"
    rows "17 000017.jpg 480 364 horse 77 89 335 402 0" | cmp - "$out"
    run "$BIN/largest" --check "$out"
    assert_success
    run "$BIN/largest" --check "$anno"
    assert_failure 1
}

@test "size has no +1: a line of one pixel's height loses against three by three pixels" {
    rows "1 a.jpg 500 500 line 0 0 0 99 0" "1 a.jpg 500 500 dot 5 5 7 7 0" >"$anno"
    run --separate-stderr "$BIN/largest" -o - "$anno"
    assert_line --index 1 "$(rows "1 a.jpg 500 500 dot 5 5 7 7 0" | tail -1)"
}

@test "among equal sizes the first row wins, also when the later box has more pixels" {
    rows "1 a.jpg 500 500 first 0 0 10 20 0" "1 a.jpg 500 500 second 0 0 20 10 0" "1 a.jpg 500 500 third 0 0 4 50 0" \
        >"$anno"
    run --separate-stderr "$BIN/largest" -o - "$anno"
    assert_line --index 1 --partial first
    rows "1 a.jpg 500 500 zero 0 0 0 400 0" "1 a.jpg 500 500 point 9 9 9 9 0" >"$anno"
    run --separate-stderr "$BIN/largest" -o - "$anno"
    assert_line --index 1 --partial zero
}

@test "ignored objects are passed over, pictures with nothing else are left out and counted" {
    rows "1 a.jpg 500 500 big 0 0 400 400 1" "1 a.jpg 500 500 small 0 0 4 4 0" "2 b.jpg 500 500 big 0 0 4 4 1" >"$anno"
    run --separate-stderr "$BIN/largest" -o - "$anno"
    assert_success
    [ "${#lines[@]}" -eq 2 ]
    assert_line --index 1 --partial small
    said_part "1 pictures with ignored objects only left out"
}

@test "pictures keep the order of their first row, even when their rows are apart" {
    rows "9 c.jpg 9 9 x 0 0 1 1 0" "2 a.jpg 9 9 x 0 0 1 1 0" "9 c.jpg 9 9 y 0 0 5 5 0" "5 b.jpg 9 9 x 0 0 1 1 0" \
        >"$anno"
    run --separate-stderr "$BIN/largest" -o - - <"$anno"
    assert_success
    [ "$(cut -f2,5 <<<"$output" | tr '\t\n' '  ')" = "file_name category c.jpg y a.jpg x b.jpg x " ]
}

@test "the largest objects of VOC 2007 train are known for its first pictures" {
    real
    for row in "12 000012.jpg car 96 155 269 350" "17 000017.jpg horse 77 89 335 402" \
        "23 000023.jpg person 1 2 461 242" \
        "26 000026.jpg car 124 89 211 336" "32 000032.jpg aeroplane 77 103 182 374"; do
        cut -f1,2,5-9 "$out" | tr '\t' ' ' | grep -qx "$row" || { echo "$row is missing"; false; }
    done
    [ "$(wc -l <"$out")" -eq 2502 ]
}

@test "broken annotation tables are refused by largest" {
    bad() {
        refused 3 "anno.tsv$1" "$out" "$BIN/largest" -o "$out" "$anno"
    }
    : >"$anno"
    bad ": is empty"
    echo "hello" >"$anno"
    bad ":1: no annotation table"
    rows "1 a.jpg 500 500 x 0 0 4 4" >"$anno"
    bad ":2: 9 columns, 10 are needed"
    rows "1 a.jpg 500 500 x 0 0 4 500 0" >"$anno"
    bad ":2: box 0 0 4 500"
    rows "1 ../a.jpg 500 500 x 0 0 4 4 0" >"$anno"
    bad ":2: file name '../a.jpg' leads out of the folder of the pictures"
    rows "1 a.jpg 500 500 x 0 0 4 4 0" "2 a.jpg 500 500 x 0 0 4 4 0" >"$anno"
    bad ":3: picture a.jpg has two image ids"
    rows "1 a.jpg 500 500 x 0 0 4 4 0" | head -c -1 >"$anno"
    bad ":2: the last line does not end"
    rows "1 a.jpg 500 500 x 0 0 4 4 0" | head -c -5 >"$anno"
    bad ":2: 8 columns"
    refused 3 "none.tsv: cannot open" "$out" "$BIN/largest" -o "$out" "$BATS_TEST_TMPDIR/none.tsv"
}

# ---------------------------------------------------------------- mkcsv: the order of the rows

@test "rows come in the order of a CPython set by default, and ascending on request" {
    ids 12 17 23 26 32 33 >"$out"
    "$BIN/mkcsv" --lrg "$lrg" --bb "$bb" "$out"
    printf '%s\n' fn,cat 000032.jpg,car 000033.jpg,car 000012.jpg,car 000017.jpg,car 000023.jpg,car 000026.jpg,car |
        cmp - "$lrg"
    printf '%s\n' fn,bbox "000032.jpg,1 2 33 4" "000033.jpg,1 2 34 4" "000012.jpg,1 2 13 4" "000017.jpg,1 2 18 4" \
        "000023.jpg,1 2 24 4" "000026.jpg,1 2 27 4" | cmp - "$bb"
    ids 33 12 32 17 >"$out"
    "$BIN/mkcsv" --order id --lrg "$lrg" "$out"
    [ "$(cut -c1-6 "$lrg" | tr '\n' ' ')" = "fn,cat 000012 000017 000032 000033 " ]
    run "$BIN/mkcsv" --check "$lrg"
    assert_success
    assert_output ""
    run "$BIN/mkcsv" --check "$bb"
    assert_success
    run "$BIN/mkcsv" --check - <"$bb"
    assert_success
    run "$BIN/mkcsv" --check "$out"
    assert_failure 1
    assert_output ""
}

@test "the set order of VOC 2007 train is that of the reference run, to the hash" {
    real
    [ "$(digest <"$lrg")" = c90db86d8c24b91b1b5a43f58f43cea6ad0e9387b988106e55cec5681b003804 ]
    [ "$(digest <"$bb")" = c90db86d8c24b91b1b5a43f58f43cea6ad0e9387b988106e55cec5681b003804 ]
    printf '%s\n' fn,bbox "008197.jpg,186 450 226 496" "008199.jpg,84 363 374 498" "008202.jpg,110 190 371 457" \
        "008203.jpg,187 37 359 303" "000012.jpg,96 155 269 350" "008204.jpg,144 142 335 265" \
        "000017.jpg,77 89 335 402" "008211.jpg,181 77 499 281" "008213.jpg,125 291 166 330" | cmp - <(head -10 "$bb")
    printf '%s\n' fn,cat 008197.jpg,car 008199.jpg,person 008202.jpg,cow 008203.jpg,sofa 000012.jpg,car \
        008204.jpg,person 000017.jpg,horse 008211.jpg,person 008213.jpg,chair | cmp - <(head -10 "$lrg")
    [ "$(tail -10 "$bb" | cut -c1-6 | tr '\n' ' ')" = \
        "008139 008142 008150 008163 008164 008166 008169 008174 008186 008188 " ]
}

@test "the list order of VOC 2007 train has the hash of its ids, and is another one" {
    real id
    [ "$(digest <"$lrg")" = 78ed68b8b6cdcf491c9335fa49df42134766608b0381e071c852f0b4f5e71637 ]
    [ "$(head -6 "$lrg" | cut -c1-6 | tr '\n' ' ')" = "fn,cat 000012 000017 000023 000026 000032 " ]
}

# ---------------------------------------------------------------- mkcsv: the split

@test "the split of VOC 2007 train is that of the reference run, and mkcsv prints its hashes" {
    real
    train_hash=dd41e7ffa6c31565e1e9f5d8837ee210efa1df7c94ba3d8908583f3f143aebf9
    val_hash=a266cc0b90abafaf82c0fdb78051c44d0d2d4a4713b770ef3c05543b3a559b5a
    said "mkcsv: 2501 rows, set order; train 2001 sha256 ${train_hash:0:12}; val 500 sha256 ${val_hash:0:12}"
    [ "$(cut -d. -f1 "$val" | sha256sum | cut -d' ' -f1)" = $val_hash ]
    [ "$(head -12 "$val" | cut -d. -f1 | tr '\n' ' ')" = \
        "000048 000061 000083 008280 000104 008296 008302 008313 000141 008336 008338 008342 " ]
    [ "$(tail -5 "$val" | cut -d. -f1 | tr '\n' ' ')" = "008098 008121 008127 008166 008188 " ]
    tail -n +2 "$lrg" | cut -d, -f1 | grep -vxFf "$val" >"$BATS_TEST_TMPDIR/train"
    [ "$(cut -d. -f1 "$BATS_TEST_TMPDIR/train" | sha256sum | cut -d' ' -f1)" = $train_hash ]
    [ "$(head -10 "$BATS_TEST_TMPDIR/train" | cut -d. -f1 | tr '\n' ' ')" = \
        "008197 008199 008202 008203 000012 008204 000017 008211 008213 000023 " ]
}

@test "the split in list order is that of the original notebook, and shares 106 pictures with the other" {
    real
    cp "$val" "$BATS_TEST_TMPDIR/set.txt"
    real id
    said "mkcsv: 2501 rows, id order; train 2001 sha256 d48c2a3331e8; val 500 sha256 7a95f3b80aab"
    [ "$(cut -d. -f1 "$val" | sha256sum | cut -d' ' -f1)" \
        = 7a95f3b80aab45b62655105621feba615f7986d9725b748e63c4c5d8ca781399 ]
    [ "$(head -12 "$val" | cut -d. -f1 | tr '\n' ' ')" = \
        "000129 000140 000189 000192 000200 000207 000219 000235 000294 000306 000307 000317 " ]
    [ "$(tail -5 "$val" | cut -d. -f1 | tr '\n' ' ')" = "009878 009896 009904 009944 009961 " ]
    [ "$(grep -cxFf "$val" "$BATS_TEST_TMPDIR/set.txt")" -eq 106 ]
}

@test "sorting the rows before the split would give another validation set" {
    real
    # the split's row numbers, applied to the sorted names
    tail -n +2 "$lrg" | cut -d, -f1 >"$BATS_TEST_TMPDIR/names"
    sort "$BATS_TEST_TMPDIR/names" >"$BATS_TEST_TMPDIR/sorted"
    grep -nxFf "$val" "$BATS_TEST_TMPDIR/names" | cut -d: -f1 >"$BATS_TEST_TMPDIR/numbers"
    [ "$(head -12 "$BATS_TEST_TMPDIR/numbers" | awk '{ print $1 - 1 }' | tr '\n' ' ')" = \
        "25 29 43 44 48 49 51 56 67 69 70 73 " ]
    awk 'NR == FNR { want[$1]; next } FNR in want' "$BATS_TEST_TMPDIR/numbers" "$BATS_TEST_TMPDIR/sorted" >"$val.sorted"
    [ "$(head -1 "$val.sorted")" = 000129.jpg ]
    run ! cmp -s "$val" "$val.sorted"
}

@test "folders stay in the names of all files, and the split's hashes leave extensions out, not what follows a dot" {
    rows "1 cam.0/7.jpg 9 9 x 0 0 4 4 0" "2 cam.1/7.jpg 9 9 y 0 0 4 4 0" "3 cam.1/8 9 9 y 0 0 4 4 0" \
        '4 cam.1\9.jpg 9 9 y 0 0 4 4 0' >"$anno"
    "$BIN/largest" -o "$out" "$anno"
    run --separate-stderr "$BIN/mkcsv" --order id --val-pct 0.5 --lrg "$lrg" --bb "$bb" --val "$val" "$out"
    assert_success
    printf '%s\n' fn,cat cam.0/7.jpg,x cam.1/7.jpg,y cam.1/8,y cam.1/9.jpg,y | cmp - "$lrg"
    hash=$(sed 's/\.jpg$//' "$val" | sha256sum)
    said_part "val 2 sha256 ${hash:0:12}"
    "$BIN/mkcsv" --check "$val"
    "$BIN/mkcsv" --check "$bb"
}

@test "seed and share of the split can be chosen" {
    ids {1..50} >"$out"
    "$BIN/mkcsv" --val "$val" "$out"
    [ "$(wc -l <"$val")" -eq 10 ]
    "$BIN/mkcsv" --val "$val.7" --seed 7 "$out"
    run ! cmp -s "$val" "$val.7"
    "$BIN/mkcsv" --val "$val.half" --val-pct 0.5 "$out"
    [ "$(wc -l <"$val.half")" -eq 25 ]
    run "$BIN/mkcsv" --check "$val"
    assert_success
}

@test "a split that would leave one side empty is refused" {
    ids 1 2 3 4 >"$out"
    refused 3 "largest.tsv: 0.2 of 4 pictures for validation leaves none to validate with" "$val" "$BIN/mkcsv" \
        --val "$val" "$out"
    refused 3 "leaves none to train on" "$val" "$BIN/mkcsv" --val-pct 1 --val "$val" "$out"
    refused 2 "--val-pct needs a number from 0 to 1" "$val" "$BIN/mkcsv" --val-pct 20 --val "$val" "$out"
    refused 2 "--seed needs a whole number" "$val" "$BIN/mkcsv" --seed 4294967296 --val "$val" "$out"
    "$BIN/mkcsv" --lrg "$lrg" "$out"
}

# ---------------------------------------------------------------- mkcsv: writing

@test "fields are quoted only when they need it" {
    rows >"$out"
    printf '%s\n' '1	a,b.jpg	9	9	dining table	0	0	1	1	0' '2	c "d".jpg	9	9	x	0	0	1	1	0' >>"$out"
    "$BIN/mkcsv" --lrg "$lrg" --bb "$bb" "$out"
    printf '%s\n' fn,cat '"a,b.jpg",dining table' '"c ""d"".jpg",x' | cmp - "$lrg"
    printf '%s\n' fn,bbox '"a,b.jpg",0 0 1 1' '"c ""d"".jpg",0 0 1 1' | cmp - "$bb"
    run "$BIN/mkcsv" --check "$lrg"
    assert_success
}

@test "one output can go to standard output" {
    ids 5 6 >"$out"
    run --separate-stderr "$BIN/mkcsv" --order id --lrg - - <"$out"
    assert_success
    assert_output "fn,cat
000005.jpg,car
000006.jpg,car"
    refused 2 "standard output: --lrg and --bb would be one file" "$lrg" "$BIN/mkcsv" --lrg - --bb - "$out"
    refused 2 "--lrg and --bb would be one file" "$lrg" "$BIN/mkcsv" --lrg "$lrg" --bb "$lrg" "$out"
    refused 2 "nothing to write" "$lrg" "$BIN/mkcsv" "$out"
    refused 2 "--order is one of set|id, not 'list'" "$lrg" "$BIN/mkcsv" --order list --lrg "$lrg" "$out"
}

@test "tables with several rows of a picture, ignored rows or none are refused by mkcsv" {
    rows "1 a.jpg 9 9 x 0 0 1 1 0" "1 a.jpg 9 9 y 0 0 1 1 0" >"$out"
    refused 3 "largest.tsv: picture a.jpg has several rows; one row for each picture is needed" "$lrg" "$BIN/mkcsv" \
        --lrg "$lrg" "$out"
    rows "1 a.jpg 9 9 x 0 0 1 1 1" >"$out"
    refused 3 "largest.tsv: picture a.jpg has an ignored object" "$lrg" "$BIN/mkcsv" --lrg "$lrg" "$out"
    rows >"$out"
    refused 3 "largest.tsv: no picture has an object to learn: annotate some" "$lrg" "$BIN/mkcsv" --lrg "$lrg" "$out"
    : >"$out"
    refused 3 "largest.tsv: is empty" "$lrg" "$BIN/mkcsv" --lrg "$lrg" "$out"
}

@test "when one file can't be written none is put in place" {
    ids {1..10} >"$out"
    refused 4 "none/bb.csv: cannot create" "$lrg" "$BIN/mkcsv" --lrg "$lrg" --bb "$BATS_TEST_TMPDIR/none/bb.csv" \
        --val "$val" "$out"
    [ ! -e "$val" ]
}

@test "label files that are none fail the check" {
    bad() {
        printf %b "$1" >"$lrg"
        run "$BIN/mkcsv" --check "$lrg"
        assert_failure 1
        assert_output ""
    }
    bad ''
    bad 'fn,cat\n'
    bad 'fn,cat\na.jpg\n'
    bad 'fn,cat\n"a.jpg,x\n'
    bad 'fn,cat\na.jpg,x\na.jpg,y\n'
    bad 'fn,bbox\na.jpg,1 2 3\n'
    bad 'fn,bbox\na.jpg,3 2 1 4\n'
    bad 'fn,bbox\n../a.jpg,1 2 3 4\n'
    bad 'a.jpg\n/b.jpg\n'
    bad 'a.jpg\na.jpg\n'
}

@test "mkcsv leaves files alone that would stay the same" {
    ids 1 2 3 4 5 6 >"$out"
    "$BIN/mkcsv" --lrg "$lrg" --bb "$bb" --val "$val" "$out"
    touch -d 2001-01-01 "$lrg" "$bb" "$val"
    "$BIN/mkcsv" --lrg "$lrg" --bb "$bb" --val "$val" --seed 1 "$out"
    [ "$(date -r "$lrg" +%Y) $(date -r "$bb" +%Y)" = "2001 2001" ]
    [ "$(date -r "$val" +%Y)" -gt 2001 ]
}

@test "classes whose pictures all validate are named" {
    ids 1 2 3 4 5 6 |
        awk -F '\t' -v OFS='\t' '$1 == 2 || $1 == 5 { $5 = "emu" } $1 == 3 { $5 = "fox" } { print }' >"$out"
    printf '%s\n' 000002.jpg 000003.jpg 000005.jpg >"$BATS_TEST_TMPDIR/valid.txt"
    run --separate-stderr "$BIN/mkcsv" --lrg "$lrg" --val "$val" --val-from "$BATS_TEST_TMPDIR/valid.txt" "$out"
    assert_success
    said_part "2 classes have no picture to train on, all of theirs validate: emu, fox"
    sed -i '$d' "$BATS_TEST_TMPDIR/valid.txt" # one emu trains
    run --separate-stderr "$BIN/mkcsv" --lrg "$lrg" --val "$val" --val-from "$BATS_TEST_TMPDIR/valid.txt" "$out"
    assert_success
    said_part "1 classes have no picture to train on, all of theirs validate: fox"
}

@test "a list in place of a share says which rows validate; an empty one leaves it to the share" {
    ids 1 2 3 4 5 6 >"$out"
    printf '%s\n' 000005.jpg 000002.jpg 000099.jpg >"$BATS_TEST_TMPDIR/valid.txt"
    run --separate-stderr "$BIN/mkcsv" --lrg "$lrg" --val "$val" --val-from "$BATS_TEST_TMPDIR/valid.txt" "$out"
    assert_success
    said_part "mkcsv: 2 pictures validate as $BATS_TEST_TMPDIR/valid.txt says; 1 names there have no row"
    [ "$(sort "$val")" = $'000002.jpg\n000005.jpg' ]
    printf '%s\n' 000005 'C:\set\000002.JPG' >"$BATS_TEST_TMPDIR/valid.txt"
    "$BIN/mkcsv" --val "$val.other" --val-from "$BATS_TEST_TMPDIR/valid.txt" "$out"
    cmp "$val" "$val.other"
    "$BIN/mkcsv" --val "$val" "$out"
    cp "$val" "$val.share"
    : >"$BATS_TEST_TMPDIR/valid.txt"
    "$BIN/mkcsv" --val "$val" --val-from "$BATS_TEST_TMPDIR/valid.txt" "$out"
    cmp "$val" "$val.share"
    rm "$val" "$val.share"
    printf '%06d.jpg\n' 1 2 3 4 5 6 >"$BATS_TEST_TMPDIR/valid.txt"
    refused 3 "valid.txt names all of the 6 pictures that have an object to learn" "$val" \
        "$BIN/mkcsv" --val "$val" --val-from "$BATS_TEST_TMPDIR/valid.txt" "$out"
}
