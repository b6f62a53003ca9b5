# `make detn VOC=export` with the folders that annotation tools write, as they are: no link, no copy, no other setting.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..

# Ten drawn pictures as each of the tools exports them, after its documentation.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" "$root/recipes" .
    sed -i -E 's/^arch .*/arch tiny/; s/^size .*/size 32/; s/^batch .*/batch 4/; s/epochs [0-9]+/epochs 1/' \
        recipes/*.recipe
    "$BIN/draw-set" --pictures 10 --seed 7 -o drawn
    "$BIN/voc2json" -o drawn.json drawn 2>/dev/null
    "$BIN/json2anno" --keep-ignored -o drawn.tsv drawn.json 2>/dev/null
    local classes n part
    mapfile -t classes < <(tail -n +2 drawn.tsv | cut -f 5 | LC_ALL=C sort -u)
    mkdir -p labelimg cvat/{Annotations,JPEGImages}/cam{0,1} cvat/ImageSets/Main \
        vott/{Annotations,JPEGImages,ImageSets/Main} labelme/{Annotations,JPEGImages,AnnotationsVisualization} \
        studio-voc/{Annotations,images} studio-yolo/{images,labels} studio-coco/images \
        rf-{voc,coco}/{train,valid,test} rf-yolo/{train,valid,test}/{images,labels} cvat-yolo/obj_train_data
    for n in 000001 000002 000003 000004 000005 000006 000007 000008 000009 000010; do
        xml=drawn/Annotations/$n.xml jpg=drawn/JPEGImages/$n.jpg folder=cam$((10#$n % 2))
        case $n in 000008 | 000009) part="valid" ;; 000010) part="test" ;; *) part="train" ;; esac
        cp $xml $jpg labelimg/
        cp $jpg cvat/JPEGImages/$folder/
        sed "s,<filename>,&$folder/," $xml >cvat/Annotations/$folder/$n.xml
        echo $folder/$n >>cvat/ImageSets/Main/default.txt
        cp $jpg vott/JPEGImages/
        cp $xml vott/Annotations/
        echo "$n.jpg $((10#$n % 2 ? 1 : -1))" >>"vott/ImageSets/Main/${classes[0]}_train.txt"
        cp $jpg labelme/JPEGImages/
        cp $jpg labelme/AnnotationsVisualization/
        cp $xml labelme/Annotations/
        cp $jpg studio-voc/images/
        sed 's,\.jpg<,<,' $xml >studio-voc/Annotations/$n.xml
        cp $jpg rf-voc/$part/$n.rf.jpg
        sed 's,\.jpg<,.rf.jpg<,' $xml >rf-voc/$part/$n.rf.xml
        cp $jpg rf-coco/$part/
        cp $jpg rf-yolo/$part/images/
        yolo $n >rf-yolo/$part/labels/$n.txt
        cp $jpg studio-yolo/images/
        yolo $n >studio-yolo/labels/$n.txt
        cp $jpg cvat-yolo/obj_train_data/
        yolo $n >cvat-yolo/obj_train_data/$n.txt
        cp $jpg studio-coco/images/
    done
    sed 's,"file_name": ",&images/,g' drawn.json >studio-coco/result.json
    coco '^00000[1-7]' >rf-coco/train/_annotations.coco.json
    coco '^00000[89]' >rf-coco/valid/_annotations.coco.json
    coco '^000010' >rf-coco/test/_annotations.coco.json
    echo '# label:color_rgb:parts:actions' >cvat/labelmap.txt
    printf '%s\n' __ignore__ _background_ "${classes[@]}" >labelme/class_names.txt
    printf '%s\n' "${classes[@]}" >studio-yolo/classes.txt
    printf '%s\n' "${classes[@]}" >cvat-yolo/obj.names
    printf 'classes = 6\nnames = obj.names\ntrain = train.txt\n' >cvat-yolo/obj.data
    echo obj_train_data/000001.jpg >cvat-yolo/train.txt
    { printf 'train: ../train/images\nval: ../valid/images\n\nnc: 6\nnames: ['
        printf "'%s', " "${classes[@]}" | sed 's/, $/]\n/'; } >rf-yolo/data.yaml
    echo "exported" >rf-yolo/README.roboflow.txt
}

# yolo STEM: the lines of that picture.
yolo() {
    awk -F'\t' -v file="$1.jpg" '
        NR == FNR { number[$1] = FNR - 1; next }
        $2 == file { printf "%d %.9g %.9g %.9g %.9g\n", number[$5], ($7 + $9 + 1) / 2 / $3, ($6 + $8 + 1) / 2 / $4,
                     ($9 - $7 + 1) / $3, ($8 - $6 + 1) / $4 }' \
        <(tail -n +2 drawn.tsv | cut -f 5 | LC_ALL=C sort -u) drawn.tsv
}

# coco PATTERN: COCO's JSON of the pictures whose name matches.
coco() {
    awk -F'\t' -v pattern="$1" '
        NR == FNR { number[$1] = FNR; classes = classes ", {\"id\": " FNR ", \"name\": \"" $1 "\"}"; next }
        $2 ~ pattern {
            if (!($2 in seen)) {
                seen[$2] = ++n
                images = images (images ? ", " : "") "{\"id\": " n ", \"file_name\": \"" $2 "\", \"width\": " $3 \
                    ", \"height\": " $4 "}"
            }
            boxes = boxes (boxes ? ", " : "") "{\"id\": " ++count ", \"image_id\": " seen[$2] ", \"category_id\": " \
                number[$5] ", \"iscrowd\": " $10 ", \"bbox\": [" $7 ", " $6 ", " $9 - $7 + 1 ", " $8 - $6 + 1 "]}"
        }
        END { print "{\"images\": [" images "], \"annotations\": [" boxes "], \"categories\": [" \
            "{\"id\": 0, \"name\": \"things\"}" classes "]}" }' \
        <(tail -n +2 drawn.tsv | cut -f 5 | LC_ALL=C sort -u) drawn.tsv
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

mk() {
    env -i PATH="$PATH" HOME="$HOME" ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" \
        make --no-print-directory BIN="$BIN" SIZE=32 WEIGHTS=none "$@"
}

# labels EXPORT: its label files, by the plain names of the pictures and in their order.
labels() {
    for file in lrg bb; do
        tail -n +2 "out-$1/$file.csv" | sed 's,^[^,]*/,,; s,\.rf,,' | sort
    done
}

# the_same EXPORT WORDS [PICTURES]: make csv recognises the export in these words, and its labels are those of the
# drawn set.
the_same() {
    run mk csv VOC="$1" OUT="out-$1"
    assert_success
    assert_output --partial "voc2json: $2"
    mk csv VOC=drawn SPLIT= OUT=out-drawn
    diff <(labels "$1") <(labels drawn | grep -E "${3:-^}")
}

@test "labelImg" { the_same labelimg "XML beside the pictures, as labelImg writes it"; }
@test "CVAT, Pascal VOC" { the_same cvat "Pascal VOC with folders, as of CVAT"; }
@test "CVAT, YOLO" { the_same cvat-yolo "YOLO text files beside the pictures, classes of obj.names" ^; }
@test "VoTT" { the_same vott "Pascal VOC of VoTT"; }
@test "LabelMe" { the_same labelme "Pascal VOC of LabelMe"; }
@test "Label Studio, Pascal VOC" { the_same studio-voc "Pascal VOC of Label Studio"; }
@test "Label Studio, YOLO" { the_same studio-yolo "YOLO text files in labels, classes of classes.txt; pictures in"; }
@test "Roboflow, Pascal VOC" { the_same rf-voc "XML in train, valid and test folders" '^00000'; }
@test "Roboflow, YOLO" { the_same rf-yolo "YOLO text files in train, valid and test folders" '^00000'; }
@test "Roboflow, COCO" { the_same rf-coco "COCO's JSON in folders, as Roboflow exports it" '^00000'; }

@test "Label Studio, COCO" {
    run mk csv VOC=studio-coco OUT=out-studio-coco
    assert_success
    mk csv VOC=drawn SPLIT= OUT=out-drawn
    diff <(labels studio-coco) <(labels drawn)
}

@test "COCO in a file of any name, beside the pictures" {
    cp -r labelimg any
    rm any/*.xml
    cp drawn.json "any/my_project.json"
    run mk csv VOC=any OUT=out-any
    assert_success
    mk csv VOC=drawn SPLIT= OUT=out-drawn
    diff <(labels any) <(labels drawn)
}

@test "Roboflow's folder valid validates, unless VAL says otherwise" {
    for export in rf-voc rf-yolo rf-coco; do
        mk csv VOC=$export OUT=out-$export
        [ "$(sed 's,.*/,,; s,\.rf,,' out-$export/val.txt | sort)" = $'000008.jpg\n000009.jpg' ]
    done
    run -0 mk -q csv VOC=rf-voc OUT=out-rf-voc
}

@test "SPLIT names a part or a list, and empty takes all annotations" {
    mk anno VOC=rf-voc SPLIT=test OUT=out-test
    [ "$(tail -n +2 out-test/anno.tsv | cut -f 2 | uniq)" = test/000010.rf.jpg ]
    local class
    class=$(basename vott/ImageSets/Main/*_train.txt .txt)
    run -2 mk csv VOC=vott SPLIT=train OUT=out-vott2
    assert_output --partial "there are: $class; without --split (make: SPLIT=) all 10 annotations are taken"
    mk csv VOC=vott SPLIT="$class" OUT=out-vott2
    [ "$(wc -l <out-vott2/lrg.csv)" = 6 ]
    mk csv VOC=vott SPLIT= OUT=out-vott2
    [ "$(wc -l <out-vott2/lrg.csv)" = 11 ]
}

@test "a new annotation in a folder of an export is noticed" {
    cp -r rf-voc grown
    mk csv VOC=grown OUT=out-grown
    run -0 mk -q csv VOC=grown OUT=out-grown
    cp grown/train/000001.rf.jpg grown/train/new.jpg
    sed 's,000001.rf,new,' grown/train/000001.rf.xml >grown/train/new.xml
    run mk csv VOC=grown OUT=out-grown
    assert_success
    grep -q '^train/new.jpg,' out-grown/lrg.csv
}

@test "products inside the folder of the pictures are no pictures of it" {
    cp -r labelimg inside
    mk csv VOC=inside OUT=inside/out
    mkdir -p inside/out/pictures
    cp inside/000001.jpg inside/out/pictures/01.jpg
    echo "0 0.5 0.5 1 1" >inside/out/pictures/01.txt
    run -0 mk -q csv VOC=inside OUT=inside/out
    run "$BIN/voc2json" -o - inside
    assert_success
    refute_output --partial "out/pictures"
}

@test "a missing and a damaged picture of YOLO's files are left out with MAX_BAD, the split of the others unchanged" {
    mk csv VOC=studio-yolo OUT=out-whole
    cp -r studio-yolo gaps
    rm gaps/images/000003.jpg
    truncate -s 40 gaps/images/000007.jpg
    run mk csv cache VOC=gaps OUT=out-gaps
    assert_failure
    assert_output --partial "2 of 10 pictures cannot be used, 1 are missing; the first: 000003.jpg is missing."
    run mk csv cache VOC=gaps OUT=out-gaps MAX_BAD=2
    assert_success
    assert_output --partial "gaps/images/000007.jpg: a truncated JPEG"
    cmp out-whole/lrg.csv out-gaps/lrg.csv
    cmp out-whole/val.txt out-gaps/val.txt
    grep -q "^000003.jpg.*cannot open" out-gaps/32.cache.sources
    grep -q "^000007.jpg.*truncated" out-gaps/32.cache.sources
    diff <(grep -v '^00000[37]' out-whole/bb.csv) <(grep -v '^00000[37]' out-gaps/bb.csv)
}

@test "every export is trained on as it is" {
    for export in labelimg cvat cvat-yolo vott labelme studio-voc studio-yolo studio-coco rf-voc rf-yolo rf-coco; do
        run mk detn VOC=$export OUT=train-$export
        assert_success
        [ -s train-$export/detn.grid.png ]
    done
}
