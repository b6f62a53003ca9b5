#!/usr/bin/env bats
# voc2json: a VOC devkit to COCO-like JSON.

bats_require_minimum_version 1.5.0

setup() {
    load voc_helper
    dir=$BATS_TEST_TMPDIR/kit
    out=$BATS_TEST_TMPDIR/out.json
    mkdir -p "$dir/Annotations" "$dir/ImageSets/Main"
}

# one FILE: the devkit holds that one annotation, from standard input.
one() {
    cat >"$dir/Annotations/$1.xml"
}

@test "voc2json prints help with examples, and its version with expat's" {
    help_is_complete "$BIN/voc2json"
    assert_output --partial "expat"
}

@test "a VOC 2007 annotation becomes the JSON of fast.ai, byte for byte" {
    voc_xml 000012.jpg 500 333 "car 0 156 97 351 270" | one 000012
    voc_xml 000017.jpg 480 364 "person 0 185 62 279 199" "horse 1 90 78 403 336" | one 000017
    run --separate-stderr "$BIN/voc2json" -o "$out" "$dir"
    assert_success
    said "voc2json: a VOC devkit: XML in Annotations; no pictures in $dir
voc2json: 2 images, 3 objects, 1 difficult, 3 of 20 classes"
    categories=
    id=0
    for name in aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person \
        pottedplant sheep sofa train tvmonitor; do
        id=$((id + 1))
        categories="$categories${categories:+, }{\"supercategory\": \"none\", \"id\": $id, \"name\": \"$name\"}"
    done
    printf '%s' '{"images": [{"file_name": "000012.jpg", "height": 333, "width": 500, "id": 12}, ' \
        '{"file_name": "000017.jpg", "height": 364, "width": 480, "id": 17}], "type": "instances", "annotations": [' \
        '{"segmentation": [[155, 96, 155, 270, 351, 270, 351, 96]], "area": 34104, "iscrowd": 0, "image_id": 12, ' \
        '"bbox": [155, 96, 196, 174], "category_id": 7, "id": 1, "ignore": 0}, ' \
        '{"segmentation": [[184, 61, 184, 199, 279, 199, 279, 61]], "area": 13110, "iscrowd": 0, "image_id": 17, ' \
        '"bbox": [184, 61, 95, 138], "category_id": 15, "id": 2, "ignore": 0}, ' \
        '{"segmentation": [[89, 77, 89, 336, 403, 336, 403, 77]], "area": 81326, "iscrowd": 0, "image_id": 17, ' \
        '"bbox": [89, 77, 314, 259], "category_id": 13, "id": 3, "ignore": 1}], "categories": [' \
        "$categories]}" >"$BATS_TEST_TMPDIR/expected"
    cmp "$out" "$BATS_TEST_TMPDIR/expected"
    run "$BIN/voc2json" --check "$out"
    assert_success
    assert_output ""
}

@test "boxes of parts inside an object are ignored, whatever stands around them" {
    one 2008_000008 <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<!-- VOC 2012 -->
<annotation>
  <object>
    <part><name>head</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></part>
    <name> person </name>
    <actions><jumping>1</jumping></actions>
    <bndbox>
      <xmax>471</xmax><xmin>53</xmin>
      <ymax>420</ymax><ymin>87</ymin>
    </bndbox>
    <part><name>hand</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>7</xmax><ymax>8</ymax></bndbox></part>
    <point><x>9</x><y>9</y></point>
  </object>
  <filename>2008_000008.jpg</filename>
  <size><height>442</height><width>500</width></size>
</annotation>
XML
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    assert_success
    assert_output --partial '"id": 2008000008}]'
    assert_output --partial '"bbox": [52, 86, 419, 334], "category_id": 15, "id": 1, "ignore": 0}], "categories"'
}

@test "fractional coordinates are rounded before 1 is taken off" {
    voc_xml a.jpg 500 400 "dog 0 45.699 1.5 299.4 372.5" | one a
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    assert_success
    assert_output --partial '"bbox": [45, 1, 254, 372]'
}

@test "boxes are cut to their picture, and empty ones left out and counted" {
    voc_xml 1.jpg 100 50 "dog 0 0 0 100 50" "dog 0 90 40 120 60" "dog 0 120 1 130 10" "dog 0 20 120 10 130" \
        "dog 0 1 1 9 9" "dog 0 1 1 9 9" | one 1
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    assert_success
    said_part "1 images, 4 objects"
    said_part "2 boxes cut to their picture, 2 outside it left out"
    assert_output --partial '"bbox": [0, 0, 100, 50]'
    assert_output --partial '"bbox": [89, 39, 11, 11]'
}

@test "a split lists the pictures and their order; without it all, ascending" {
    voc_xml 3.jpg 10 10 "dog 0 1 1 5 5" | one 3
    voc_xml 1.jpg 10 10 "dog 0 1 1 5 5" | one 1
    voc_xml 2.jpg 10 10 "dog 0 1 1 5 5" | one 2
    printf '3\r\n1  \n' >"$dir/ImageSets/Main/mine.txt"
    run --separate-stderr "$BIN/voc2json" --split mine -o - "$dir"
    assert_success
    [ "$(grep -o '"file_name": "[^"]*"' <<<"$output" | tr -d '\n')" = '"file_name": "3.jpg""file_name": "1.jpg"' ]
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    [ "$(grep -o '[123].jpg' <<<"$output" | tr '\n' ' ')" = "1.jpg 2.jpg 3.jpg " ]
}

@test "names in a list may hold blanks" {
    voc_xml "a photo 1.jpg" 10 10 "dog 0 1 1 5 5" | one "a photo 1"
    echo "a photo 1" >"$dir/ImageSets/Main/s.txt"
    run --separate-stderr "$BIN/voc2json" --split s -o - "$dir"
    assert_success
    assert_output --partial '"file_name": "a photo 1.jpg"'
}

@test "names without numbers, or with equal ones, give ids 1 2 3 and a line that says so" {
    voc_xml b.jpg 10 10 "dog 0 1 1 5 5" | one b
    voc_xml a7.jpg 10 10 "dog 0 1 1 5 5" | one a7
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    assert_success
    said_part "ids are 1 to 2 in list order"
    assert_output --partial '"file_name": "a7.jpg", "height": 10, "width": 10, "id": 1}'
    rm "$dir"/Annotations/*
    voc_xml 1_2.jpg 10 10 "dog 0 1 1 5 5" | one x
    voc_xml 12.jpg 10 10 "dog 0 1 1 5 5" | one y
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    said_part "ids are 1 to 2 in list order"
    rm "$dir"/Annotations/*
    voc_xml 9007199254740993.jpg 10 10 "dog 0 1 1 5 5" | one x
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    said_part "ids are 1 to 1 in list order"
}

@test "other class names are numbered in byte order, and may hold anything printable" {
    voc_xml 1.jpg 10 10 "zebra 0 1 1 5 5" "Ant 0 1 1 5 5" "dog 0 1 1 5 5" | one 1
    sed -i 's/zebra/ze "b\&amp;ra/' "$dir/Annotations/1.xml"
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    assert_success
    assert_output --partial '"categories": [{"supercategory": "none", "id": 1, "name": "Ant"}, '\
'{"supercategory": "none", "id": 2, "name": "dog"}, {"supercategory": "none", "id": 3, "name": "ze \"b&ra"}]'
}

@test "a picture without objects stays in the list of images" {
    voc_xml 1.jpg 10 10 | one 1
    run --separate-stderr "$BIN/voc2json" -o - "$dir"
    assert_success
    assert_output --partial '"id": 1}], "type": "instances", "annotations": [], "categories": ['
}

@test "the real VOC 2012 files give 50 objects, 16 of them difficult" {
    need_shared voc-xml
    run --separate-stderr "$BIN/voc2json" -o "$out" "$SHARED/voc-xml"
    assert_success
    said_part "voc2json: 18 images, 50 objects, 16 difficult, 14 of 20 classes"
    run --separate-stderr "$BIN/json2anno" -o - "$out"
    assert_line "2007000027	2007_000027.jpg	486	500	person	100	173	350	348	0"
}

@test "the JSON of VOC 2007 train, taken apart into XML and put together again, is the same file" {
    need_shared voc2007
    json=$SHARED/voc2007/annotations/pascal_train2007.json
    "$BIN/json2anno" --keep-ignored -o "$BATS_TEST_TMPDIR/anno.tsv" "$json"
    cp "$SHARED/voc2007/ImageSets/Main/train.txt" "$dir/ImageSets/Main/"
    awk -F'\t' -v dir="$dir/Annotations/" '
        function finish() { if (file) { print "</annotation>" >file; close(file) } }
        NR == 1 { next }
        $2 != last {
            finish()
            last = $2
            file = dir substr($2, 1, 6) ".xml"
            printf "<annotation><filename>%s</filename><size><width>%d</width><height>%d</height></size>\n",
                   $2, $3, $4 >file
        }
        {
            printf "<object><name>%s</name><difficult>%d</difficult><bndbox>", $5, $10 >file
            printf "<xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax></bndbox></object>\n", $7 + 1, $6 + 1,
                $9 + 1, $8 + 1 >file
        }
        END { finish() }' "$BATS_TEST_TMPDIR/anno.tsv"
    "$BIN/voc2json" --split train -o "$out" "$dir"
    cmp "$out" "$json"
}

# ---------------------------------------------------------------- bad input

@test "a named pipe in place of an annotation is refused, not waited for" {
    mkfifo "$dir/Annotations/1.xml"
    run timeout 20 "$BIN/voc2json" -o "$out" "$dir"
    assert_failure 3
    assert_output --partial "1.xml: is a pipe or a device, a regular file is needed"
}

@test "an entity bomb is refused before it expands" {
    one 1 <<'XML'
<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<annotation><filename>&c;</filename></annotation>
XML
    refused 3 "1.xml:2: entity declarations are refused: a" "$out" "$BIN/voc2json" -o "$out" "$dir"
}

@test "an external entity is refused and not opened" {
    one 1 <<'XML'
<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<annotation><filename>&x;</filename></annotation>
XML
    refused 3 "1.xml:1: entity declarations are refused: x" "$out" "$BIN/voc2json" -o "$out" "$dir"
}

@test "truncated XML is refused with its line" {
    voc_xml 1.jpg 10 10 "dog 0 1 1 5 5" | head -c 150 | one 1
    refused 3 "1.xml:4: no well-formed XML" "$out" "$BIN/voc2json" -o "$out" "$dir"
}

@test "an empty XML file is refused" {
    : | one 1
    refused 3 "1.xml: is empty" "$out" "$BIN/voc2json" -o "$out" "$dir"
}

@test "a thousand nested elements are refused" {
    { printf '<annotation>'; printf '<a>%.0s' {1..1000}; } | one 1
    refused 3 "1.xml:1: elements are nested too deeply" "$out" "$BIN/voc2json" -o "$out" "$dir"
}

@test "another root element is refused" {
    echo '<html></html>' | one 1
    refused 3 "no VOC annotation (export as Pascal VOC, YOLO or COCO): the root is not <annotation> but html" "$out" \
        "$BIN/voc2json" -o "$out" "$dir"
}

@test "missing, repeated and wrong values are refused with their place" {
    good=$(voc_xml 1.jpg 10 10 "dog 0 1 1 5 5")
    try() {
        sed "$1" <<<"$good" | one 1
        refused 3 "1.xml$2" "$out" "$BIN/voc2json" -o "$out" "$dir"
    }
    try 's,<filename>.*</filename>,,' ": /annotation/filename is missing"
    try 's,<height>10,<height>ten,' ":3: 'ten' is not a number in /annotation/size/height"
    try 's,<xmin>1,<xmin>nan,' ":4: 'nan' is not a number in /annotation/object/bndbox/xmin"
    try 's,<xmin>1,<xmin>inf,' ":4: 'inf' is not a number in /annotation/object/bndbox/xmin"
    try 's,<xmin>1,<xmin>,' ":4: '' is not a number in /annotation/object/bndbox/xmin"
    try 's,<xmin>1,<xmin><b/>1,' ":4: an element inside /annotation/object/bndbox/xmin"
    try 's,<xmin>1</xmin>,,' ":4: the object that ends here lacks /annotation/object/bndbox/xmin"
    try 's,<name>dog</name>,,' ":4: the object that ends here lacks /annotation/object/name"
    try 's,<name>dog,<name>,' ":4: '' is empty in /annotation/object/name"
    try 's,<xmin>1</xmin>,&&,' ":4: there twice: /annotation/object/bndbox/xmin"
    try 's,<filename>1.jpg</filename>,&&,' ":2: there twice: /annotation/filename"
    try 's,>1.jpg<,>a/../../1.jpg<,' ": 'a/../../1.jpg' leads out of the folder of the pictures"
    try 's,>1.jpg<,>..<,' ": '..' leads out of the folder"
    try 's,>1.jpg<,>a\tb.jpg<,' ": 'a?b.jpg' contains a tab"
    try "s,>1.jpg<,>$(printf 'x%.0s' {1..5000})<," ":2: too much text in /annotation/filename"
}

@test "a size that is none is left to the picture" {
    for edit in 's,<width>10</width>,,' 's,<width>10,<width>0,' 's,<width>10,<width>1e9,' 's,<width>10,<width>10.5,'; do
        voc_xml 1.jpg 10 10 "dog 0 2 3 5 9" | sed "$edit" | one 1
        "$BIN/voc2json" -o "$out" "$dir"
        grep -q '"height": 0, "width": 0, .*"bbox": \[1, 2, 4, 7\]' "$out"
    done
}

@test "a missing folder, split or annotation is named" {
    refused 3 "kit: holds no .xml file" "$out" "$BIN/voc2json" -o "$out" "$dir"
    refused 3 "none: cannot open: No such file" "$out" "$BIN/voc2json" -o "$out" "$dir/none"
    voc_xml 1.jpg 10 10 "dog 0 1 1 5 5" | one 1
    refused 3 "ImageSets/Main/train.txt: there is no such list, nor any other beside it" "$out" \
        "$BIN/voc2json" --split train -o "$out" "$dir"
    echo 000099 >"$dir/ImageSets/Main/mine.txt"
    echo 000099 >"$dir/ImageSets/Main/default.txt"
    refused 3 "Main/train.txt: there is no such list; there are: default, mine" "$out" \
        "$BIN/voc2json" --split train -o "$out" "$dir"
    echo 000099 >"$dir/ImageSets/Main/train.txt"
    refused 3 "Annotations/000099.xml: cannot open" "$out" "$BIN/voc2json" --split train -o "$out" "$dir"
}

@test "lists that leave the folder, repeat or mark pictures are refused" {
    voc_xml 1.jpg 10 10 "dog 0 1 1 5 5" | one 1
    try() {
        printf %b "$1" >"$dir/ImageSets/Main/s.txt"
        refused 3 "Main/s.txt$2" "$out" "$BIN/voc2json" --split s -o "$out" "$dir"
    }
    try '../../etc/passwd\n' ":1: file name '../../etc/passwd' leads out of the folder"
    try '1\n1\n' ":2: 1 is there twice"
    try '1 -1\n' ": no row is marked 1"
    try '1 7\n' ":1: '1 7' contains a blank and is the name of no annotation"
    try '1\n\n' ":2: file name '' is empty"
    try '1\n2\t1\n' ":2: file name '2?1' contains a tab"
    try '' ": is empty"
    refused 2 "--split '../s' leads out of the folder" "$out" "$BIN/voc2json" --split ../s -o "$out" "$dir"
}

@test "two annotations of one picture are refused" {
    voc_xml 1.jpg 10 10 "dog 0 1 1 5 5" | one 1
    voc_xml 1.jpg 10 10 "dog 0 1 1 5 5" | one 2
    refused 3 "2.xml: the picture 1.jpg is that of Annotations/1.xml too; remove one of them" "$out" \
        "$BIN/voc2json" -o "$out" "$dir"
}

@test "an output that can't be written is a system error, and an old one stays" {
    voc_xml 1.jpg 10 10 "dog 0 1 1 5 5" | one 1
    refused 4 "none/out.json: cannot create" "$dir/none/out.json" "$BIN/voc2json" -o "$dir/none/out.json" "$dir"
    echo old >"$out"
    : | one 1
    run "$BIN/voc2json" -o "$out" "$dir"
    assert_failure 3
    [ "$(cat "$out")" = old ]
}
