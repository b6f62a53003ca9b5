#!/usr/bin/env bats
# json2anno: COCO-like JSON to a table of objects.

bats_require_minimum_version 1.5.0

setup() {
    load voc_helper
    json=$BATS_TEST_TMPDIR/in.json
    out=$BATS_TEST_TMPDIR/anno.tsv
    header='image_id	file_name	width	height	category	y1	x1	y2	x2	ignore'
    image='{"file_name": "000012.jpg", "height": 333, "width": 500, "id": 12}'
    object='{"image_id": 12, "bbox": [155, 96, 196, 174], "category_id": 7, "id": 1, "ignore": 0}'
    class='{"supercategory": "none", "id": 7, "name": "car"}'
}

# document [IMAGES [ANNOTATIONS [CATEGORIES]]]: a JSON document; the default is the one picture above.
document() {
    printf '{"images": [%s], "type": "instances", "annotations": [%s], "categories": [%s]}' \
        "${1-$image}" "${2-$object}" "${3-$class}"
}

@test "classes that no object has are not counted as if they had" {
    document "$image" "" '{"id": 7, "name": "car"}, {"id": 8, "name": "cat"}' >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    said_part " 0 of 2 classes; 0 rows"
}

@test "ids may be strings" {
    document "${image/12\}/\"b7-x\"\}}" "${object/12/\"b7-x\"}" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    assert_equal "$(tail -n 1 "$out" | cut -f 2-)" "000012.jpg	500	333	car	96	155	269	350	0"
    # a string that is a number is that number
    document "$image" "$(sed 's/12,/"12",/; s/7,/"7",/' <<<"$object")" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    assert_equal "$(tail -n 1 "$out")" "12	000012.jpg	500	333	car	96	155	269	350	0"
}

@test "classes that differ in blanks around them are one, which is said" {
    document "$image" "$object, ${object/7/8}" '{"id": 7, "name": "cat"}, {"id": 8, "name": "cat "}' >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    said_part "1 images, 2 objects, 0 ignored, 1 classes; 2 rows"
    said_part "1 names of classes have blanks around them, which are left out: 'cat '"
    assert_equal "$(tail -n +2 "$out" | cut -f 5 | sort -u)" cat
}

@test "edges that are whole but for noise are whole" {
    document "$image" "${object/155, 96, 196, 174/154.9999999, 96.00000001, 196.0000003, 173.9999}" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    assert_equal "$(tail -n 1 "$out" | cut -f 6-9)" "96	155	269	350"
    document "$image" "${object/155, 96, 196, 174/154.99, 96.01, 196, 174}" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_equal "$(tail -n 1 "$out" | cut -f 6-9)" "96	154	270	350"
}

@test "a box with a rotation becomes the upright box around it" {
    document "$image" "$(sed 's/155, 96, 196, 174/100, 100, 40, 20/; s/"ignore": 0/"attributes": {"rotation": 90.0}/' \
        <<<"$object"), ${object/\"ignore\": 0/\"attributes\": {\"rotation\": 0.0\}}" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    said_part "1 boxes are rotated; the upright box around each is taken. The first is in 000012.jpg"
    assert_equal "$(tail -n +2 "$out" | cut -f 6-9)" $'90\t110\t129\t129\n96\t155\t269\t350'
}

@test "json2anno prints help with examples and a version" {
    help_is_complete "$BIN/json2anno"
    assert_output --partial "jsmn"
}

@test "a picture with one object becomes one row" {
    document >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    assert_output ""
    said "json2anno: 1 images, 1 objects, 0 ignored, 1 classes; 1 rows"
    printf '%s\n' "$header" "12	000012.jpg	500	333	car	96	155	269	350	0" | cmp - "$out"
    run "$BIN/json2anno" --check "$out"
    assert_success
    assert_output ""
    run "$BIN/json2anno" --check "$json"
    assert_failure 1
    assert_output ""
}

@test "folders of a file name are kept, whatever the slashes; of a full path the root is not" {
    picture() {
        printf '{"file_name": "%s", "height": 333, "width": 500, "id": %s}' "${1//\\/\\\\}" "$2"
    }
    local names=(images/cam0/7.jpg cam1/7.jpg cam2/7.jpg 'images\cam3\7.jpg' ./images/a/../cam4//7.jpg
        'C:\photos\7.jpg' /home/me/7.jpg 7.jpg) i images='' objects=''
    for i in "${!names[@]}"; do
        images+="${images:+, }$(picture "${names[i]}" "$i")"
        objects+="${objects:+, }${object/': 12'/": $i"}"
    done
    document "$images" "$objects" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    [ "$(tail -n +2 "$out" | cut -f 2 | xargs)" = \
        "images/cam0/7.jpg cam1/7.jpg cam2/7.jpg images/cam3/7.jpg images/cam4/7.jpg photos/7.jpg home/me/7.jpg 7.jpg" ]
    "$BIN/json2anno" --check "$out"
    rm "$out"
    document "$(picture a/7.jpg 1), $(picture 'a\7.jpg' 12)" >"$json"
    refused 3 "file_name a/7.jpg is there twice" "$out" "$BIN/json2anno" -o "$out" "$json"
    document "$(picture images/ 12)" >"$json"
    refused 3 "file_name 'images/' is a folder" "$out" "$BIN/json2anno" -o "$out" "$json"
    document "$(picture ../.. 12)" >"$json"
    refused 3 "file_name '../..' leads out of the folder of the pictures" "$out" "$BIN/json2anno" -o "$out" "$json"
}

@test "standard input and standard output work, and locale settings change nothing" {
    document >"$json"
    LC_ALL=de_DE.UTF-8 run --separate-stderr "$BIN/json2anno" -o - - <"$json"
    assert_success
    assert_line --index 1 "12	000012.jpg	500	333	car	96	155	269	350	0"
}

@test "objects come grouped by picture in the order of the images, whatever the order of the file" {
    printf '{"info": {"a": [1, {"b": null}]}, "annotations": [%s, %s, %s], "categories": [%s, %s],
        "licenses": [], "images": [%s, %s]}' \
        '{"id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "image_id": 5}' \
        '{"id": 2, "category_id": 1, "bbox": [0, 0, 10, 10], "image_id": 9}' \
        '{"id": 3, "category_id": 1, "bbox": [5, 5, 1, 1], "image_id": 5}' \
        '{"name": "b c", "id": 1}' '{"name": "a", "id": 2}' \
        '{"id": 9, "width": 10, "height": 10, "file_name": "nine.png"}' \
        '{"id": 5, "width": 20, "height": 30, "file_name": "five.png"}' >"$json"
    "$BIN/json2anno" -o "$out" "$json"
    printf '%s\n' "$header" "9	nine.png	10	10	b c	0	0	9	9	0" "5	five.png	20	30	a	2	1	5	3	0" \
        "5	five.png	20	30	b c	5	5	5	5	0" | cmp - "$out"
}

@test "plain COCO: fractional boxes cover the pixels they touch, polygons, run lengths and crowds are read" {
    document "$image" '{"segmentation": [[1.5, 2.25, 3e1, 4.0, 5, 6]], "area": 702.1057, "iscrowd": 0,
         "image_id": 12, "bbox": [10.2, 20.7, 5.5, 4.1], "category_id": 7, "id": 9007199254740993},
        {"segmentation": {"counts": [272, 2, 4], "size": [333, 500]}, "area": 6, "iscrowd": 1,
         "image_id": 12, "bbox": [1, 1, 5, 5], "category_id": 7, "id": 2}' >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    said "json2anno: 1 images, 2 objects, 1 ignored, 1 classes; 1 rows"
    printf '%s\n' "$header" "12	000012.jpg	500	333	car	20	10	24	15	0" | cmp - "$out"
}

@test "ignored objects and crowds are left out, or kept with a mark" {
    document "$image" "$object, ${object/'"ignore": 0'/'"ignore": 1'}, ${object/'"ignore": 0'/'"iscrowd": true'}" \
        >"$json"
    "$BIN/json2anno" -o "$out" "$json"
    [ "$(wc -l <"$out")" -eq 2 ]
    "$BIN/json2anno" --keep-ignored -o "$out" "$json"
    [ "$(cut -f10 "$out" | tr '\n' ' ')" = "ignore 0 1 1 " ]
}

@test "boxes are cut to their picture, empty ones left out, pictures without rows counted" {
    document "$image, ${image//12/13}" \
        "$object, $object, $object, ${object/155, 96/-5, -6}, ${object/155, 96/400, 300},
         ${object/155, 96/500, 0}, ${object/196, 174/0, 5}" \
        >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    said_part "2 boxes cut to their picture, 1 outside it left out; 1 pictures without a row"
    printf '%s\n' "12	000012.jpg	500	333	car	0	0	167	190	0" "12	000012.jpg	500	333	car	300	400	332	499	0" |
        cmp - <(tail -n +5 "$out")
}

@test "a negative width or height means corners in reverse order: they are put in order and counted" {
    four='155, 96, 196, 174'
    document "$image" "$object, ${object/$four/351, 96, -196, 174}, ${object/$four/351, 270, -196, -174}" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    said_part "2 boxes had a negative width or height; their corners were put in order. The first is in 000012.jpg"
    [ "$(sed 1d "$out" | sort -u)" = "12	000012.jpg	500	333	car	96	155	269	350	0" ]
    [ "$(sed 1d "$out" | wc -l)" -eq 3 ]
}

@test "names are decoded from JSON, and two ids may name one class" {
    document '{"file_name": "caf\u00e9 \"1\".jpg", "height": 9, "width": 9, "id": 0}' \
        '{"image_id": 0, "bbox": [0, 0, 2, 2], "category_id": 1},
         {"image_id": 0, "bbox": [0, 0, 2, 2], "category_id": 2}' \
        '{"id": 1, "name": "sm\u00f8rrebr\u00f8d"}, {"id": 2, "name": "smørrebrød"}' >"$json"
    run --separate-stderr "$BIN/json2anno" -o - "$json"
    assert_success
    assert_line --index 1 '0	café "1".jpg	9	9	smørrebrød	0	0	1	1	0'
    said_part " 1 classes; 2 rows"
}

@test "ids may be hashes, numbers may be written as texts, and a class as a number" {
    for id in 9007199254740993 1152921504606846976123 -7 '"3f2a-11"'; do
        document "${image/'"id": 12'/'"id": '"$id"}, ${image/000012/000013}" \
            "${object/'_id": 12'/'_id": '"$id"}, ${object/'_id": 12'/'_id": "12"'}" >"$json"
        "$BIN/json2anno" -o "$out" "$json"
        [ "$(cut -f 2 "$out" | xargs)" = "file_name 000012.jpg 000013.jpg" ]
    done
    document "${image/: 500/: \"500\"}" "${object/155, 96, 196, 174/\"155\", \"96\", \"196.0\", \"174\"}" \
        "${class/'"car"'/7}" >"$json"
    "$BIN/json2anno" -o - "$json" | cmp - <(printf '%s\n' "$header" "12	000012.jpg	500	333	7	96	155	269	350	0")
}

@test "boxes without a width or height are left out under that reason" {
    document "$image" "$object, ${object/196, 174/0, 174}, ${object/196, 174/0, 0}" >"$json"
    run --separate-stderr "$BIN/json2anno" -o "$out" "$json"
    assert_success
    said "json2anno: 1 images, 3 objects, 0 ignored, 1 classes; 1 rows
json2anno: 2 boxes have no width or no height and are left out: 000012.jpg, 000012.jpg"
}

@test "no objects at all give a table of a header" {
    document "$image" "" "" >"$json"
    "$BIN/json2anno" -o "$out" "$json"
    [ "$(cat "$out")" = "$header" ]
}

@test "VOC 2007 train has 6301 objects in 2501 pictures, read in less than a tenth of a second" {
    need_shared voc2007
    run --separate-stderr "$BIN/json2anno" -o "$out" "$SHARED/voc2007/annotations/pascal_train2007.json"
    assert_success
    said "json2anno: 2501 images, 7844 objects, 1543 ignored, 20 classes; 6301 rows"
    best=9999
    TIMEFORMAT='%U %S'
    for _ in 1 2 3 4 5; do # processor time, best of five: the machine may be busy
        read -r user system < <({ time "$BIN/json2anno" -o "$out" \
            "$SHARED/voc2007/annotations/pascal_train2007.json" 2>/dev/null; } 2>&1)
        took=$((10#${user/./} + 10#${system/./}))
        [ "$took" -ge "$best" ] || best=$took
    done
    echo "best of five: $best ms"
    [ "$best" -lt 100 ]
}

@test "areas of VOC 2007 are width times height of the boxes read" {
    need_shared voc2007
    real=$SHARED/voc2007/annotations/pascal_train2007.json
    "$BIN/json2anno" --keep-ignored -o "$out" "$real"
    grep -o '"area": [0-9]*' "$real" | cut -d' ' -f2 >"$BATS_TEST_TMPDIR/areas"
    awk 'NR > 1 { print ($8 - $6 + 1) * ($9 - $7 + 1) }' FS='\t' "$out" | cmp - "$BATS_TEST_TMPDIR/areas"
}

@test "a file of many pictures takes time in proportion to its size" {
    make() {
        awk -v n="$1" 'BEGIN {
            printf "{\"annotations\": ["
            for (i = 0; i < 3 * n; i++) {
                printf "%s{\"image_id\": %d, \"bbox\": [1, 2, 3.5, 4], \"category_id\": %d, ",
                       i ? "," : "", i % n, i % 9
                printf "\"segmentation\": [[1,2,3,4,5,6,7,8]]}"
            }
            printf "], \"images\": ["
            for (i = 0; i < n; i++)
                printf "%s{\"file_name\": \"%d.jpg\", \"height\": 9, \"width\": 9, \"id\": %d}", i ? "," : "", i, i
            printf "], \"categories\": ["
            for (i = 0; i < 9; i++)
                printf "%s{\"id\": %d, \"name\": \"c%d\"}", i ? "," : "", i, i
            print "]}" }'
    }
    make 2000 >"$json"
    make 40000 >"$json.big"
    clock() { # thousandths of a second of processor time
        local TIMEFORMAT=%U
        { time "$BIN/json2anno" -o "$out" "$1" 2>/dev/null; } 2>&1 | tr -d .
    }
    small=$(clock "$json")
    big=$(clock "$json.big")
    echo "small $small, big $big"
    [ "$(wc -l <"$out")" -eq 120001 ]
    [ "$((10#$big))" -le $((60 * (10#$small + 5))) ] # 20 times the size; quadratic would be 400 times the time
}

# ---------------------------------------------------------------- bad input

# bad PATTERN: the document on standard input is refused with that text.
bad() {
    cat >"$json"
    refused 3 "in.json: $1" "$out" "$BIN/json2anno" -o "$out" "$json"
}

@test "an empty file and one that is no JSON are refused" {
    : | bad "is empty"
    echo hello | bad "byte 0: no JSON object"
    echo '[]' | bad "byte 0: no JSON object"
    printf '\211PNG\r\n' | bad "byte 0: no JSON object"
}

@test "a file cut off anywhere is refused" {
    document >"$BATS_TEST_TMPDIR/whole.json"
    size=$(wc -c <"$BATS_TEST_TMPDIR/whole.json")
    for ((n = 1; n < size; n += 7)); do
        head -c "$n" "$BATS_TEST_TMPDIR/whole.json" | bad "byte $n"
    done
    head -c $((size - 1)) "$BATS_TEST_TMPDIR/whole.json" | bad "byte $((size - 1)): the file ends too early"
}

@test "text behind the end, and what jsmn alone would accept, are refused" {
    { document; echo '{}'; } | bad "*text behind the end"
    document "$image,}" | bad "*a value is expected here"
    document "$image $image" | bad "*',' or ']' is expected"
    document "${image/: 500/ 500}" | bad "*no valid JSON"
    document "${image/500/0500}" | bad "*no valid JSON near '0500"
    document "${image/500/tru}" | bad "*no valid JSON near 'tru"
    document "${image/500/-}" | bad "*no valid JSON near '-"
    document "$image" "${object/155, 96/155 96}" | bad "*no valid JSON"
    document "$image" "${object/155, 96/155,, 96}" | bad "*no valid JSON"
    document "$image," | bad "*a value is expected here"
    document "${image/\}/,\}}" | bad "*no valid JSON"
}

@test "deep nesting is refused, open or closed" {
    { printf '{"x": '; printf '[%.0s' {1..100000}; } | bad "byte *: brackets are nested too deeply"
    { printf '{"x": '; printf '{"a":%.0s' {1..100000}; } | bad "byte *: brackets are nested too deeply"
    { document | head -c -1; printf ', "x": [%s%s]}' "$(printf '[%.0s' {1..100})" "$(printf ']%.0s' {1..100})"; } |
        bad "byte *: brackets are nested too deeply"
}

@test "one enormous value is refused" {
    { printf '{"info": "'; head -c 17000000 /dev/zero | tr '\0' x; printf '", "images": []}'; } |
        bad "byte 9, info: one value of 17000002 bytes"
}

@test "missing arrays are named" {
    echo '{}' | bad "the array 'images' is missing"
    echo '{"images": [], "annotations": []}' | bad "the array 'categories' is missing"
    document "" | bad "'images' is empty"
    echo '{"images": 3, "annotations": [], "categories": []}' | bad "byte 11, images: 'images' is not an array"
    echo '{"images": [3], "annotations": [], "categories": []}' | bad "byte 12, images[[]0[]]: is not an object"
}

@test "repeated members are refused" {
    document | sed 's/"type"/"images": [], "type"/' | bad "*'images' is there twice"
    document | sed "s/\"type\"/\"images\": [${image//12/13}], \"type\"/" | bad "*'images' is there twice"
    document "${image/'"id"'/'"id": 12, "id"'}" | bad "*images[[]0[]]: 'id' is there twice"
    document "$image" "${object/'"bbox"'/'"bbox": [], "bbox"'}" | bad "*annotations[[]0[]]: 'bbox' is there twice"
}

@test "repeated ids and file names are refused" {
    document "$image, ${image/000012/000013}" | bad "*images[[]1[]]: image id 12 is there twice"
    document "$image, ${image/: 12/: 13}" | bad "*images[[]1[]]: file_name 000012.jpg is there twice"
    document "$image" "$object" "$class, ${class/car/bus}" | bad "*categories[[]1[]]: category id 7 is there twice"
}

@test "unknown pictures and categories are named" {
    document "$image" "$object, ${object/': 12'/': 13'}" | bad "annotations[[]1[]]: no image has the id 13"
    document "$image" "${object/': 7'/': 8'}" | bad "annotations[[]0[]]: no category has the id 8"
}

@test "missing and wrong values of a picture are refused" {
    document "${image/'"id": 12'/'"i": 12'}" | bad "*images[[]0[]]: 'id' is missing"
    document "${image/'"id": 12'/'"id": []'}" | bad "*images[[]0[]]: id '[[][]]' is not a whole number"
    document "${image/'"id": 12'/'"id": "b7"'}" | bad "*annotations[[]0[]]: no image has the id 12"
    document "$image, ${image/000/001}" | bad "*images[[]1[]]: image id 12 is there twice"
    document "${image/'"id": 12'/'"id": 12.5'}" | bad "*images[[]0[]]: id '12.5' is not a whole number"
    document "${image/'"id": 12'/'"id": -1'}" | bad "*annotations[[]0[]]: no image has the id 12"
    document "${image/'"id": 12'/'"id": 1e300'}" | bad "*id '1e300' is not a whole number"
    document "${image/500/-1}" | bad "*width '-1' is not a whole number from 0"
    document "${image/500/1e300}" | bad "*width '1e300' is not a whole number from 0"
    for none in 0 null; do
        document "${image/500/$none}" | bad "the width or height of 000012.jpg is missing; --images DIR"
    done
    document "${image/'"width": 500, '/}" | bad "the width or height of 000012.jpg is missing"
    document "${image/333/\[333\]}" | bad "*height '[[]333[]]' is not a whole number"
    document "${image/'"000012.jpg"'/12}" | bad "*file_name is not a valid string"
}

@test "file names that leave their folder or break the table are refused" {
    document "${image/000012.jpg/..}" | bad "*file_name '..' leads out"
    document "${image/000012.jpg/\\u002e\\u002e\\u002f..}" | bad "*file_name '../..' leads out"
    document "${image/000012.jpg/}" | bad "*file_name '' is empty"
    document "${image/000012/a\\tb}" | bad "*file_name 'a?b.jpg' contains a tab"
    document "${image/000012/a\\nb}" | bad "*file_name 'a?b.jpg' contains a tab"
    document "${image/000012/a\\u0000b}" | bad "*file_name is not a valid string"
    document "${image/000012/a\\ud800b}" | bad "*file_name is not a valid string"
    document "${image/000012/$'\xff'}" | bad "*bytes that are not UTF-8 in a string"
    document "$image" "$object" "${class/car/a\\tb}" | bad "*name 'a?b' contains a tab"
}

@test "boxes that are none are refused" {
    document "$image" "${object/'"bbox"'/'"box"'}" | bad "*annotations[[]0[]]: 'bbox' is missing"
    document "$image" "${object/', 174'/}" | bad "*bbox is not an array of four numbers"
    document "$image" "${object/174/174, 5}" | bad "*bbox is not an array of four numbers"
    document "$image" "${object/174/\"17 4\"}" | bad "*bbox[[]3[]] '17 4' is not a number"
    document "$image" "${object/174/null}" | bad "*bbox[[]3[]] 'null' is not a number"
    document "$image" "${object/174/1e999}" | bad "*bbox[[]3[]] '1e999' is not a number"
    document "$image" "${object/174/NaN}" | bad "*no valid JSON"
    document "$image" "${object/'"ignore": 0'/'"ignore": "no"'}" | bad "*ignore is neither 0 nor 1"
}

@test "a missing file, a folder and a missing option are told apart" {
    refused 3 "none.json: cannot open: No such file" "$out" "$BIN/json2anno" -o "$out" "$BATS_TEST_TMPDIR/none.json"
    refused 3 "is a directory" "$out" "$BIN/json2anno" -o "$out" "$BATS_TEST_TMPDIR"
    refused 2 "--output FILE is needed" "$out" "$BIN/json2anno" "$json"
    refused 2 "unknown option --keep-ignore, did you mean --keep-ignored" "$out" "$BIN/json2anno" \
        --keep-ignore -o "$out" x
    refused 2 "too few file names" "$out" "$BIN/json2anno" -o "$out"
}

@test "a full disk is an error and leaves nothing" {
    document >"$json"
    run bash -c '"$0" -o - "$1" >/dev/full' "$BIN/json2anno" "$json"
    assert_failure 4
    assert_output --partial "No space left"
}
