#!/usr/bin/env bats
# voc2json finds annotations and pictures in the folders that annotation tools write, and says which tool's they are.
# Each folder is written after the tool's documentation, from drawn pictures.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$BIN/draw-set" --pictures 40 --seed 5 -o drawn
    # three that are 192 x 192
    local n=0 file
    mkdir photos
    while read -r file && [ $n -lt 3 ]; do
        n=$((n + 1))
        file=${file##*/}
        cp "drawn/JPEGImages/${file%.xml}.jpg" photos/$n.jpg
    done < <(grep -lz '<width>192</width>[[:space:]]*<height>192</height>' drawn/Annotations/*.xml)
}

setup() {
    load voc_helper
    cd "$BATS_TEST_TMPDIR" || return 1
    photos=$BATS_FILE_TMPDIR/photos
}

# photo N FILE: the drawn picture N (192 x 192) under that name; folders are made.
photo() {
    mkdir -p "$(dirname "$2")"
    cp "$photos/$1.jpg" "$2"
}

# xml FILE FILENAME OBJECTS…: an annotation of a drawn picture.
xml() {
    local file=$1 name=$2
    mkdir -p "$(dirname "$file")"
    shift 2
    voc_xml "$name" 192 192 "$@" >"$file"
}

# text FILE LINE…
text() {
    local file=$1
    mkdir -p "$(dirname "$file")"
    shift
    printf '%s\n' "$@" >"$file"
}

# read_folder DIR [OPTION…]: through voc2json and json2anno; `rows` are the table's names, classes and boxes.
read_folder() {
    local dir=$1
    shift
    run --separate-stderr "$BIN/voc2json" "$@" -o voc.json "$dir"
    assert_success
    rows=$("$BIN/json2anno" -o - voc.json 2>/dev/null | tail -n +2 | cut -f 2,5-9 | tr '\t' ' ')
}

# with_pictures DIR [OPTION…]: the same with json2anno's options, held against the pictures: anno.tsv; `stderr` is
# json2anno's.
with_pictures() {
    local dir=$1 images=$1 folder
    shift
    for folder in JPEGImages images; do [ ! -d "$dir/$folder" ] || images=$dir/$folder; done
    "$BIN/voc2json" -o voc.json "$dir" 2>/dev/null
    run --separate-stderr "$BIN/json2anno" --images "$images" "$@" -o anno.tsv voc.json
    assert_success
}

@test "labelImg: XML beside the pictures" {
    for n in 1 2; do
        photo $n "export/img_$n.jpg"
        xml "export/img_$n.xml" "img_$n.jpg" "dog 0 11 21 50 60"
    done
    read_folder export
    said_part "voc2json: XML beside the pictures, as labelImg writes it"
    assert_equal "$rows" $'img_1.jpg dog 20 10 59 49\nimg_2.jpg dog 20 10 59 49'
}

@test "labelImg: XML beside the pictures in folders, with equal names" {
    for n in 1 2; do
        photo $n "export/day$n/img.JPG"
        xml "export/day$n/img.xml" img.JPG "dog$n 0 11 21 50 60"
    done
    read_folder export
    assert_equal "$rows" $'day1/img.JPG dog1 20 10 59 49\nday2/img.JPG dog2 20 10 59 49'
}

@test "a devkit inside the folder is found with its pictures" {
    photo 1 export/project-PascalVOC-export/JPEGImages/a.jpg
    xml export/project-PascalVOC-export/Annotations/a.xml b.jpg "dog 0 11 21 50 60"
    read_folder export
    said_part "voc2json: XML in folders of its own"
    assert_equal "$rows" "project-PascalVOC-export/JPEGImages/a.jpg dog 20 10 59 49"
}

@test "labelImg: XML in a folder of its own, pictures in another" {
    for n in 1 2; do
        photo $n "export/photos/img_$n.jpg"
        xml "export/work/img_$n.xml" "img_$n.jpg" "dog 0 11 21 50 60"
    done
    read_folder export
    assert_equal "$rows" $'photos/img_1.jpg dog 20 10 59 49\nphotos/img_2.jpg dog 20 10 59 49'
}

@test "CVAT: Pascal VOC with folders in lists, Annotations and JPEGImages" {
    for n in 1 2 3; do
        photo $n "export/JPEGImages/cam$((n % 2))/img_$n.jpg"
        xml "export/Annotations/cam$((n % 2))/img_$n.xml" "cam$((n % 2))/img_$n.jpg" "dog 0 11 21 50 60"
    done
    text export/ImageSets/Main/default.txt cam0/img_2 cam1/img_1
    text export/labelmap.txt '# label:color_rgb:parts:actions' 'dog:::'
    read_folder export
    said_part "voc2json: Pascal VOC with folders, as of CVAT: XML in Annotations; pictures in JPEGImages"
    said_part "--split NAME (make: SPLIT=NAME) takes those of a list: default"
    assert_equal "$(cut -d ' ' -f 1 <<<"$rows")" $'cam0/img_2.jpg\ncam1/img_1.jpg\ncam1/img_3.jpg'
    read_folder export --split default
    assert_equal "$(cut -d ' ' -f 1 <<<"$rows")" $'cam0/img_2.jpg\ncam1/img_1.jpg'
}

@test "CVAT: names with blanks stand in quotes in its lists" {
    photo 1 "export/JPEGImages/my photo.jpg"
    xml "export/Annotations/my photo.xml" "my photo.jpg" "dog 0 11 21 50 60"
    text export/ImageSets/Main/default.txt '"my photo"'
    read_folder export --split default
    assert_equal "$rows" "my photo.jpg dog 20 10 59 49"
}

@test "VoTT: lists of one class each" {
    for n in 1 2 3; do
        photo $n "export/JPEGImages/img_$n.jpg"
        xml "export/Annotations/img_$n.xml" "img_$n.jpg" "dog 0 11 21 50 60"
    done
    text export/pascal_label_map.pbtxt "item {" " id: 1" " name: 'dog'" "}"
    text export/ImageSets/Main/dog_train.txt "img_1.jpg 1" "img_2.jpg -1"
    text export/ImageSets/Main/dog_val.txt "img_3.jpg 1"
    read_folder export
    said_part "voc2json: Pascal VOC of VoTT: XML in Annotations; pictures in JPEGImages"
    said_part "dog_train, dog_val"
    assert_equal "$(cut -d ' ' -f 1 <<<"$rows")" $'img_1.jpg\nimg_2.jpg\nimg_3.jpg'
    read_folder export --split dog_train
    said_part "1 rows of the list are not marked 1 and left out"
    assert_equal "$rows" "img_1.jpg dog 20 10 59 49"
    refused 3 "there is no such list; there are: dog_train, dog_val; without --split (make: SPLIT=) all 3 annotations" \
        train.json "$BIN/voc2json" --split train -o train.json export
}

@test "VOC's own lists of one class have two blanks and 0 for difficult objects" {
    for n in 1 2 3; do xml "export/Annotations/00000$n.xml" "00000$n.jpg" "dog 0 11 21 50 60"; done
    text export/ImageSets/Main/dog_train.txt "000001  1" "000002 -1" "000003  0"
    read_folder export --split dog_train
    assert_equal "$rows" "000001.jpg dog 20 10 59 49"
}

@test "LabelMe: Pascal VOC with drawings of the annotations beside it" {
    photo 1 export/JPEGImages/a.jpg
    photo 1 export/AnnotationsVisualization/a.jpg
    text export/class_names.txt __ignore__ _background_ dog
    xml export/Annotations/a.xml a.jpg "dog 0 10.7 21.2 50 60"
    read_folder export
    said_part "voc2json: Pascal VOC of LabelMe: XML in Annotations; pictures in JPEGImages"
    assert_equal "$rows" "a.jpg dog 20 10 59 49"
}

@test "Label Studio: Pascal VOC with pictures in images" {
    photo 1 export/images/3f2a-a.jpg
    xml export/Annotations/3f2a-a.xml 3f2a-a "dog 0 11 21 50 60"
    read_folder export
    said_part "voc2json: Pascal VOC of Label Studio: XML in Annotations; pictures in images"
    said_part "1 annotations name their picture without its extension"
    assert_equal "$rows" "3f2a-a.jpg dog 20 10 59 49"
}

@test "Label Studio: YOLO with images, labels, classes.txt and notes.json" {
    photo 1 export/images/a.jpg
    photo 2 export/images/b.jpg
    text export/labels/a.txt "1 0.25 0.5 0.25 0.5" "0 0.5 0.5 1 1"
    : >export/labels/b.txt
    text export/classes.txt cat "dog "
    text export/notes.json '{"categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}], "info": {}}'
    read_folder export
    said_part "voc2json: YOLO text files of Label Studio, classes of classes.txt; pictures in images"
    said_part "2 images, 2 objects"
    assert_equal "$rows" $'a.jpg dog 48 24 143 71\na.jpg cat 0 0 191 191'
    rm export/classes.txt
    read_folder export
    said_part "classes of notes.json"
    assert_equal "$rows" $'a.jpg dog 48 24 143 71\na.jpg cat 0 0 191 191'
}

@test "Roboflow: Pascal VOC in train, valid and test" {
    local n=0 part
    for part in train valid test; do
        n=$((n + 1))
        photo $n "export/$part/a-$part.jpg"
        xml "export/$part/a-$part.xml" "a-$part.jpg" "dog 0 11 21 50 60"
    done
    text export/README.dataset.txt "a set"
    read_folder export --val valid.txt
    said_part "voc2json: XML in train, valid and test folders, as Roboflow exports it"
    said_part "1 annotations for testing are left out; --split test (make: SPLIT=test) takes only them: test/a-test.xml"
    assert_equal "$(cut -d ' ' -f 1 <<<"$rows")" $'train/a-train.jpg\nvalid/a-valid.jpg'
    assert_equal "$(cat valid.txt)" valid/a-valid.jpg
    read_folder export --split test --val valid.txt
    assert_equal "$rows" "test/a-test.jpg dog 20 10 59 49"
    assert_equal "$(cat valid.txt)" ""
    refused 3 "ImageSets/Main/other.txt: there is no such list, nor any other, nor a folder of that name" o.json \
        "$BIN/voc2json" --split other -o o.json export
}

@test "Roboflow: YOLO in train and valid, with data.yaml" {
    local part
    for part in train valid; do
        photo 1 "export/$part/images/$part.jpg"
        text "export/$part/labels/$part.txt" "1 0.25 0.5 0.25 0.5"
    done
    text export/data.yaml "train: ../train/images" "val: ../valid/images" "" "nc: 2" "names: ['cat', \"dog's\"]" "" \
        "roboflow:" "  workspace: w"
    text export/README.roboflow.txt "a set"
    read_folder export --val valid.txt
    said_part "voc2json: YOLO text files in train, valid and test folders, classes of data.yaml"
    assert_equal "$rows" $'train/images/train.jpg dog\'s 48 24 143 71\nvalid/images/valid.jpg dog\'s 48 24 143 71'
    assert_equal "$(cat valid.txt)" valid/images/valid.jpg
}

@test "Roboflow: COCO in train and valid" {
    local part
    for part in train valid; do
        photo 1 "export/$part/$part.jpg"
        text "export/$part/_annotations.coco.json" \
            '{"images": [{"id": 0, "file_name": "'$part'.jpg", "width": 192, "height": 192}],' \
            '"annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [24, 48, 48, 96], "iscrowd": 0}],' \
            '"categories": [{"id": 0, "name": "animals"}, {"id": 1, "name": "dog"}]}'
    done
    read_folder export --val valid.txt
    said_part "voc2json: COCO's JSON in folders, as Roboflow exports it"
    assert_equal "$rows" $'train/train.jpg dog 48 24 143 71\nvalid/valid.jpg dog 48 24 143 71'
    assert_equal "$(cat valid.txt)" valid/valid.jpg
}

@test "YOLO as CVAT and Darknet write it: obj.names, text beside the pictures" {
    photo 1 export/obj_train_data/a.jpg
    text export/obj_train_data/a.txt "0 0.25 0.5 0.25 0.5"
    text export/obj.names dog
    text export/obj.data "classes = 1" "names = data/obj.names" "train = data/train.txt"
    text export/train.txt data/obj_train_data/a.jpg
    read_folder export
    said_part "voc2json: YOLO text files beside the pictures, classes of obj.names"
    assert_equal "$rows" "obj_train_data/a.jpg dog 48 24 143 71"
}

@test "YOLO as Ultralytics has it: parts inside images and labels, names as a map" {
    local part
    for part in train val; do
        photo 1 "export/images/$part/a.jpg"
        text "export/labels/$part/a.txt" "1 0.25 0.5 0.25 0.5"
    done
    text export/data.yaml "path: ./" "train: train.txt" "names: # by number" "  0: cat" '  1: "dog # 1" # a comment'
    read_folder export --val valid.txt
    assert_equal "$rows" $'train/a.jpg dog # 1 48 24 143 71\nval/a.jpg dog # 1 48 24 143 71'
    assert_equal "$(cat valid.txt)" val/a.jpg
}

@test "names of data.yaml may be a list of lines, or stand in brackets over several lines" {
    photo 1 export/a.jpg
    text export/a.txt "1 0.25 0.5 0.25 0.5"
    for names in $'names:\n- cat\n- dog\nnc: 2' $'names:\n  - cat\n  - dog' $'names: [\n  cat,\n  dog\n]\nnc: 2' \
        'names: {0: cat, 1: dog}'; do
        text export/data.yaml "$names"
        read_folder export
        assert_equal "$rows" "a.jpg dog 48 24 143 71"
    done
}

@test "annotations that keep the picture's ending before their own" {
    photo 1 kit/img.1.jpg
    photo 2 export/images/a.jpg
    xml kit/img.1.jpg.xml other.jpg "dog 0 11 21 50 60"
    text export/labels/a.jpg.txt "0 0.25 0.5 0.25 0.5"
    read_folder kit
    assert_equal "$rows" "img.1.jpg dog 20 10 59 49"
    read_folder export
    assert_equal "$rows" "a.jpg 0 48 24 143 71"
}

@test "YOLO in folders below the export" {
    photo 1 export/set/images/train/a.jpg
    text export/set/labels/train/a.txt "0 0.25 0.5 0.25 0.5"
    printf '\xef\xbb\xbfdog\r\n' >export/set/classes.txt
    read_folder export
    said_part "voc2json: YOLO text files in folders of their own, classes of set/classes.txt"
    assert_equal "$rows" "set/images/train/a.jpg dog 48 24 143 71"
}

@test "YOLO's outlines get the box around them, and edges meet the nearest pixels" {
    photo 1 export/a.jpg
    text export/classes.txt dog
    text export/a.txt "0 0.125 0.25 0.375 0.25 0.25 0.75" "0 0.2500001 0.5 0.2499999 0.5000003"
    read_folder export
    said_part "1 objects are outlines; the box around each is taken: a.jpg"
    assert_equal "$rows" $'a.jpg dog 48 24 143 71\na.jpg dog 48 24 143 71'
}

@test "YOLO lines that say nothing certain are refused with their place" {
    photo 1 export/a.jpg
    text export/classes.txt dog
    try() {
        text export/a.txt "0 0.5 0.5 0.5 0.5" "$1"
        refused 3 "export/a.txt:2: $2" a.json "$BIN/voc2json" -o a.json export
    }
    try "1 0.5 0.5 0.5 0.5" "class 1 is none of the 1 (from 0) that classes.txt names"
    try "0.5 0.5 0.5 0.5 0.5" "class 0.5 is none"
    try "0 96 96 40 40" "96 is no fraction of the picture (0 to 1): are these pixels?"
    try "0 0.5 0.5 0.5" "4 numbers"
    try "0 0.5 0.5 0.5 x" "'x' is not a number"
    text export/a.txt "0 0.5 0.5 0.5 0.5"
    : >export/classes.txt
    refused 3 "export/classes.txt: holds no names of classes" a.json "$BIN/voc2json" -o a.json export
}

@test "YOLO's boxes of negative size are put in order, those of no size counted as such" {
    photo 1 export/a.jpg
    text export/classes.txt dog
    text export/a.txt "0 0.25 0.5 -0.25 0.5" "0 0.5 0.5 0 0.5"
    read_folder export
    said_part "1 boxes had reversed corners, which were put in order: a.jpg"
    said_part "1 boxes have no width or no height and are left out: a.jpg"
    assert_equal "$rows" "a.jpg dog 48 24 143 71"
}

@test "YOLO label files of a folder without pictures are passed over by name" {
    for part in train val; do
        photo 1 export/$part/images/$part.jpg
        text export/$part/labels/$part.txt "0 0.25 0.5 0.25 0.5"
    done
    rm export/val/images/val.jpg
    text export/val/labels/notes.txt "0 pictures"
    read_folder export
    said_part "1 files that look like annotations of another kind or place are passed over: val/labels/val.txt"
}

@test "YOLO label files whose picture is missing are named, and the picture counts as missing" {
    for name in a b c d e; do
        photo 1 export/images/train/$name.jpg
        text export/labels/train/$name.txt "0 0.25 0.5 0.25 0.5" "0 0.9996 0.5 0.0008 1"
    done
    text export/labels/train/classes.txt dog
    text export/labels/train/train.txt images/train/a.jpg
    : >export/labels/train/nothing.txt
    with_pictures export
    mv anno.tsv all.tsv
    mv export/images/train/b.jpg export/images/train/bb.jpg
    mv export/images/train/d.jpg export/images/train/test_d.jpg
    mv export/labels/train/d.txt export/labels/train/test_e.txt
    # "test_e" is no test part, and no text of another kind
    run --separate-stderr "$BIN/voc2json" -o voc.json export
    said_part "2 label files have no picture, which counts as missing: labels/train/b.txt, labels/train/test_e.txt"
    refused 3 "2 of 5 pictures cannot be used; the first: train/b.jpg is missing (there is train/bb.jpg). --max-bad\
 2 (make: MAX_BAD=2) goes on" anno.tsv "$BIN/json2anno" --images export/images -o anno.tsv voc.json
    with_pictures export --max-bad 2
    assert_equal "$(cut -f 1 anno.tsv | sort -u)" "$(cut -f 1 all.tsv | sort -u)" # the split of the rest stays
    diff <(grep -E '[ac].jpg' anno.tsv) <(grep -E '[ac].jpg' all.tsv)
    refused 3 "the width or height of train/b.jpg is missing; --images DIR" x.tsv "$BIN/json2anno" -o x.tsv voc.json
}

@test "YOLO of a picture that has another spelling than its label is read with the size of the picture" {
    photo 1 export/a.jpg
    photo 2 export/more/b.jpg
    for name in a b; do text export/$name.txt "0 0.25 0.5 0.25 0.5"; done
    with_pictures export
    said_part "b.jpg is taken to be the picture more/b.jpg"
    assert_equal "$(cut -f 2,6-9 anno.tsv | tail -n +2)" $'a.jpg\t48\t24\t143\t71\nmore/b.jpg\t48\t24\t143\t71'
}

@test "a damaged picture whose size is needed counts as one, and the others go on" {
    for name in a b c; do
        photo 1 kit/images/$name.jpg
        text kit/labels/$name.txt "0 0.25 0.5 0.25 0.5"
        mkdir -p xml/Annotations xml/JPEGImages
        xml xml/Annotations/$name.xml $name.jpg "dog 0 11 21 50 60"
        sed -i '/<size>/d' xml/Annotations/$name.xml
        cp kit/images/$name.jpg xml/JPEGImages/
    done
    text kit/classes.txt dog
    for dir in kit xml; do
        local pictures=$dir/images
        [ -d $pictures ] || pictures=$dir/JPEGImages
        with_pictures $dir
        mv anno.tsv all.tsv
        head -c 40 "$photos/1.jpg" >$pictures/a.jpg
        "$BIN/voc2json" -o voc.json $dir 2>said
        refused 3 "1 of 3 pictures cannot be used: $pictures/a.jpg: a truncated JPEG*--max-bad 1" anno.tsv \
            "$BIN/json2anno" --images $pictures -o anno.tsv voc.json
        rm $pictures/b.jpg
        with_pictures $dir --max-bad 2
        said_part "2 of 3 pictures will be left out, 1 are missing: $pictures/a.jpg: a truncated JPEG"
        assert_equal "$(cut -f 1,2 anno.tsv)" "$(cut -f 1,2 all.tsv)"
        diff <(grep c.jpg anno.tsv) <(grep c.jpg all.tsv)
    done
}

@test "a damaged picture of a COCO file without sizes counts as one" {
    for name in a b; do photo 1 export/train/$name.jpg; done
    text export/train/_annotations.coco.json \
        '{"images": [{"id": 0, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}],' \
        '"annotations": [{"image_id": 0, "category_id": 1, "bbox": [24, 48, 48, 96]},' \
        '{"image_id": 1, "category_id": 1, "bbox": [24, 48, 48, 96]}], "categories": [{"id": 1, "name": "dog"}]}'
    : >export/train/a.jpg
    with_pictures export --max-bad 1
    assert_equal "$(cut -f 2-4,6-9 anno.tsv | tail -n +2 | tr '\t' ' ')" $'train/a.jpg 72 144 48 24 143 71
train/b.jpg 192 192 48 24 143 71'
}

@test "two files that name YOLO's classes must agree" {
    photo 1 export/images/a.jpg
    text export/labels/a.txt "1 0.25 0.5 0.25 0.5"
    text export/data.yaml "names: [cat, dog]"
    text export/labels/classes.txt cat dog cow
    read_folder export
    assert_equal "$rows" "a.jpg dog 48 24 143 71"
    text export/labels/classes.txt dog cat
    refused 3 "export/labels/classes.txt: has other classes than data.yaml; make them equal, or remove one" a.json \
        "$BIN/voc2json" -o a.json export
    : >export/labels/classes.txt
    read_folder export
}

@test "photos that EXIF turns are named where nothing tells whether their boxes are turned" {
    local turned=$BATS_TEST_DIRNAME/../golden/image/exif6.jpg # 33 x 22 as stored
    mkdir -p yolo xml
    for dir in yolo xml; do
        cp "$turned" $dir/a.jpg
        photo 1 $dir/b.jpg
    done
    for n in a b; do
        text yolo/$n.txt "0 0.5 0.5 0.5 0.5"
        xml xml/$n.xml $n.jpg "dog 0 2 3 9 9"
        sed -i '/<size>/d' xml/$n.xml
    done
    for dir in yolo xml; do
        read_folder $dir
        said_part "1 photos are turned by EXIF, and nothing tells whether their boxes are, which is taken for granted:\
 look at one with render --kind boxes: a.jpg"
    done
    "$BIN/json2anno" --images xml -o anno.tsv voc.json
    "$BIN/render" --kind boxes --anno anno.tsv --images xml --image a.jpg -o a.png
    sed -i 's/>9</>30</' xml/a.xml # fits only one way: nothing to tell
    read_folder xml
    [[ ${stderr-} != *"turned by EXIF"* ]]
}

@test "YOLO without names of classes calls them by their numbers, and says so" {
    photo 1 export/a.jpg
    text export/a.txt "7 0.25 0.5 0.25 0.5"
    read_folder export
    said_part "classes by their numbers: there is no data.yaml, obj.names, classes.txt or notes.json"
    assert_equal "$rows" "a.jpg 7 48 24 143 71"
}

# ---------------------------------------------------------------- what is wrong in single files

@test "XML that ends in .XML or lies in a folder is taken" {
    for n in 1 2 3; do photo $n "kit/JPEGImages/img_$n.jpg"; done
    xml kit/Annotations/img_1.xml img_1.jpg "dog 0 11 21 50 60"
    xml kit/Annotations/img_2.XML img_2.jpg "dog 0 11 21 50 60"
    xml kit/Annotations/new/img_3.xml img_3.jpg "dog 0 11 21 50 60"
    read_folder kit
    assert_equal "$(cut -d ' ' -f 1 <<<"$rows")" $'img_1.jpg\nimg_2.jpg\nimg_3.jpg'
}

@test "XML of another kind among annotations is passed over, and alone refused" {
    photo 1 kit/a.jpg
    xml kit/a.xml a.jpg "dog 0 11 21 50 60"
    text kit/pom.xml "<project/>"
    read_folder kit
    said_part "1 files that look like annotations of another kind or place are passed over: pom.xml"
    assert_equal "$rows" "a.jpg dog 20 10 59 49"
    rm kit/a.xml
    refused 3 "kit/pom.xml:1: no VOC annotation (export as Pascal VOC, YOLO or COCO): the root is not <annotation>" \
        a.json "$BIN/voc2json" -o a.json kit
}

@test "what is passed over is counted and named" {
    for n in 1 2 3; do photo $n "kit/JPEGImages/img_$n.jpg"; done
    xml kit/Annotations/img_1.xml img_1.jpg "dog 0 11 21 50 60"
    text kit/Annotations/img_2.txt "0 0.5 0.5 0.5 0.5"
    xml kit/old/img_3.xml img_3.jpg "dog 0 11 21 50 60"
    xml kit/Annotations/._img_1.xml img_1.jpg "dog 0 11 21 50 60"
    read_folder kit
    said_part "2 files that look like annotations of another kind or place are passed over:\
 Annotations/img_2.txt, old/img_3.xml"
    said_part "2 pictures have no annotation and are left out: img_2.jpg, img_3.jpg"
    assert_equal "$rows" "img_1.jpg dog 20 10 59 49"
}

@test "a picture that has the XML's own name is taken, whatever <filename> says" {
    for n in 1 2 3; do photo $n "kit/JPEGImages/img_$n.jpg"; done
    xml kit/Annotations/img_1.xml img_2.jpg "a 0 11 21 50 60"
    xml kit/Annotations/img_2.xml img_3.jpg "b 0 11 21 50 60"
    xml kit/Annotations/img_3.xml 'C:\Users\me\img_3.jpg' "c 0 11 21 50 60"
    read_folder kit
    said_part "2 annotations name another picture than the one beside them, which is taken:\
 Annotations/img_1.xml (img_2.jpg), Annotations/img_2.xml (img_3.jpg)"
    assert_equal "$(cut -d ' ' -f 1,2 <<<"$rows")" $'img_1.jpg a\nimg_2.jpg b\nimg_3.jpg c'
}

@test "<filename> with a full path, without extension, or missing leads to its picture" {
    photo 1 kit/JPEGImages/one.jpg
    photo 2 kit/JPEGImages/sub/two.png
    photo 3 kit/JPEGImages/three.jpg
    xml kit/Annotations/a.xml /home/me/JPEGImages/one.jpg "dog 0 11 21 50 60"
    xml kit/Annotations/b.xml sub/two "dog 0 11 21 50 60"
    xml kit/Annotations/three.xml x "dog 0 11 21 50 60"
    sed -i 's,<filename>.*</filename>,,' kit/Annotations/three.xml
    read_folder kit
    assert_equal "$(cut -d ' ' -f 1 <<<"$rows")" $'one.jpg\nsub/two.png\nthree.jpg'
}

@test "an annotation whose picture is gone is given no other picture" {
    photo 1 kit/JPEGImages/cam1/img.jpg
    for n in 0 1; do xml "kit/Annotations/cam$n/img.xml" "cam$n/img.jpg" "dog$n 0 11 21 50 60"; done
    read_folder kit
    assert_equal "$(cut -d ' ' -f 1,2 <<<"$rows")" $'cam0/img.jpg dog0\ncam1/img.jpg dog1'
}

@test "reversed corners are put in order and counted" {
    xml kit/Annotations/1.xml 1.jpg "dog 0 50 60 11 21" "cat 0 50 21 11 60" "cow 0 1 1 9 9"
    read_folder kit
    said_part "2 boxes had reversed corners, which were put in order: 1.jpg, 1.jpg"
    assert_equal "$rows" $'1.jpg dog 20 10 59 49\n1.jpg cat 20 10 59 49\n1.jpg cow 0 0 8 8'
}

@test "boxes with a rotation get the upright box around them, and are counted" {
    xml kit/Annotations/1.xml 1.jpg "dog 0 60 80 100 100" "cat 0 60 80 100 100" "cow 0 60 80 100 100"
    local turned='<attribute><name>rotation</name><value>90.0</value></attribute>' \
        upright='<attribute><name>rotation</name><value>0.0</value></attribute>' \
        other='<attribute><name>note</name><value>none</value></attribute>' \
        rolabelimg='<robndbox><cx>80</cx><cy>90</cy><w>40</w><h>20</h><angle>0.5235988</angle></robndbox>'
    sed -i "/dog/s,</object>,<attributes>$turned$other</attributes></object>,
        /cat/s,</object>,<attributes>$upright</attributes></object>,
        /cow/s,<bndbox>.*</bndbox>,$rolabelimg," kit/Annotations/1.xml
    read_folder kit
    said_part "2 boxes are rotated; the upright box around each is taken: 1.jpg, 1.jpg"
    # 40 x 20 turned by 30 degrees: 44.6 x 37.3
    assert_equal "$rows" $'1.jpg dog 69 69 109 89\n1.jpg cat 79 59 99 99\n1.jpg cow 70 57 108 101'
}

@test "a missing size is that of the picture" {
    photo 1 kit/JPEGImages/1.jpg
    photo 2 kit/JPEGImages/2.jpg
    xml kit/Annotations/1.xml 1.jpg "dog 0 11 21 50 60"
    xml kit/Annotations/2.xml 2.jpg "dog 0 11 21 50 60"
    sed -i '/<size>/d' kit/Annotations/1.xml
    sed -i 's/192/0/g' kit/Annotations/2.xml
    read_folder kit
    said_part "2 annotations lack the size of their picture, which was looked at: Annotations/1.xml, Annotations/2.xml"
    assert_equal "$rows" $'1.jpg dog 20 10 59 49\n2.jpg dog 20 10 59 49'
}

@test "a folder without annotations is told what it holds" {
    mkdir none
    refused 3 "none: holds no .xml file and no YOLO text of pictures" a.json "$BIN/voc2json" -o a.json none
    text none/result.json '{}'
    refused 3 "none: holds no annotations as XML or YOLO text, but result.json: if it is COCO's" a.json \
        "$BIN/voc2json" -o a.json none
}

@test "a folder that links to itself is read once" {
    photo 1 kit/a.jpg
    xml kit/a.xml a.jpg "dog 0 11 21 50 60"
    ln -s . kit/again
    read_folder kit
    assert_equal "$rows" "a.jpg dog 20 10 59 49"
}
