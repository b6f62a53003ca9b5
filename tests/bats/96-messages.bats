#!/usr/bin/env bats
# Every refusal that concerns somebody's folders, pictures, names and settings: its exit code, that it has at most two
# lines, and that the next step works as it is worded. Where there is nothing to do but mend a file, the file and the
# place are the step.

bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$BIN/draw-set" --pictures 12 --size 64 -o set 2>said
    rm -r set/ImageSets set/drawn.txt
    "$BIN/voc2json" -o set.json set 2>said
    "$BIN/json2anno" --images set/JPEGImages -o set.tsv set.json 2>said
    "$BIN/largest" -o largest.tsv set.tsv 2>said
    "$BIN/mkcsv" --lrg lrg.csv --bb bb.csv --val val.txt largest.tsv 2>said
    "$BIN/resize-cache" --size 32 --images set/JPEGImages -o 32.cache lrg.csv 2>said
    sed -E 's/^arch .*/arch tiny/; s/^size .*/size 32/; s/^batch .*/batch 4/; s/epochs [0-9]+/epochs 1/' \
        "$root/recipes/cls.recipe" >cls.recipe
}

setup() {
    load voc_helper
    cd "$BATS_TEST_TMPDIR" || return 1
    ln -s "$BATS_FILE_TMPDIR"/{set.json,set.tsv,largest.tsv,lrg.csv,bb.csv,cls.recipe} .
    cp -r "$BATS_FILE_TMPDIR"/{set,val.txt,32.cache,32.cache.sources} .
}

# says CODE PART COMMAND…: it ends with that code and, behind what it remarks and shows, with a $message of at most two
# lines of 120 characters that holds PART: the last line of a program, or what make refuses by itself.
says() {
    local code=$1 part=$2 status=0
    shift 2
    "$@" >stdout 2>stderr || status=$?
    message=$(sed -n '/: \*\*\* /,$ { s/^scripts.*: \*\*\* //; p }' stderr | grep -v '^make: ' ||
        grep -E '^[a-z0-9-]+: ' stderr | grep -v '^make: ' | tail -n 1)
    echo "status $status: $message"
    [ "$status" -eq "$code" ] || { cat stderr; return 1; }
    [ "$(wc -l <<<"$message")" -le 2 ] || return 1
    [ "${#message}" -le 240 ] || return 1
    [[ $message == *"$part"* ]] || return 1
}

# worded REGEX: $step is that part of the message.
worded() {
    step=$(grep -oE -m 1 -e "$1" <<<"$message" | head -n 1)
    [ "$step" ] || { echo "no step $1 in: $message"; return 1; }
}

anno() { "$BIN/json2anno" --images set/JPEGImages "$@" -o anno.tsv set.json; }
voc() { "$BIN/voc2json" -o voc.json "$@"; }
cache() { "$BIN/resize-cache" --size 32 --images set/JPEGImages "$@" -o 32.cache lrg.csv; }
cls() {
    "$BIN/train-cls" --cache "${from:-32.cache}" --lrg lrg.csv --val val.txt --recipe cls.recipe --weights none \
        -o cls.ckpt "$@"
}
first=set/JPEGImages/000001.jpg

# ---------------------------------------------------------------- annotations and pictures

@test "a missing picture: --max-bad N" {
    rm $first
    says 3 "000001.jpg is missing" anno
    worded '--max-bad [0-9]+'
    # shellcheck disable=SC2086 # an option and its value
    anno $step
}

@test "many damaged pictures: one line, then at most three names, from json2anno, resize-cache and predict" {
    for n in 1 2 3 4 5 6 7; do truncate -s 50 "set/JPEGImages/00000$n.jpg"; done
    says 3 "7 of 12 pictures cannot be used; the first: $first" anno
    worded '--max-bad [0-9]+'
    # shellcheck disable=SC2086
    anno $step 2>stderr
    [ "$(grep -o 'JPEGImages/[0-9]*' stderr | wc -l)" -eq 3 ]
    says 3 "7 of 12 pictures cannot be used" cache
    worded '--max-bad [0-9]+'
    # shellcheck disable=SC2086
    cache $step 2>stderr
    [ "$(grep -c 'JPEGImages/[0-9]*.jpg: ' stderr)" -eq 3 ]
    worded2=$(grep -o 'named in [^ ]*.sources' stderr)
    [ "$(grep -c truncated "${worded2#named in }")" -eq 7 ]
    cp "$BATS_FILE_TMPDIR"/32.cache* .
    cls 2>said
    run --separate-stderr "$BIN/predict" --ckpt cls.ckpt set/JPEGImages
    # shellcheck disable=SC2154
    [ "$(grep -c 'JPEGImages/[0-9]*.jpg: ' <<<"$stderr")" -le 3 ]
}

@test "the wrong folder of pictures: --images" {
    mkdir empty other
    touch other/notes.txt
    for dir in empty other; do
        says 3 "$dir: " "$BIN/json2anno" --images $dir -o anno.tsv set.json
        worded '--images'
        "$BIN/json2anno" "$step" set/JPEGImages -o anno.tsv set.json
    done
}

@test "a JSON without sizes: --images DIR" {
    sed -E 's/"(height|width)": [0-9]+, //g' set.json >bare.json
    says 3 "is missing" "$BIN/json2anno" -o anno.tsv bare.json
    worded '--images'
    "$BIN/json2anno" "$step" set/JPEGImages -o anno.tsv bare.json
}

@test "--max-bad without the pictures: --images DIR" {
    says 2 "--max-bad" "$BIN/json2anno" --max-bad 1 -o anno.tsv set.json
    worded '--images'
    "$BIN/json2anno" --max-bad 1 "$step" set/JPEGImages -o anno.tsv set.json
}

@test "another size than annotated: the pictures are put back" {
    cp set/JPEGImages/000002.jpg kept.jpg
    "$BIN/draw-set" --pictures 2 --size 96 -o large 2>said
    cp large/JPEGImages/000002.jpg set/JPEGImages/
    says 3 "the first 000002.jpg: " anno
    worded 'put the old ones back'
    cp kept.jpg set/JPEGImages/000002.jpg
    anno
}

@test "two names of one picture: as the file is named" {
    sed 's/"000001.jpg"/"000001"/; s/"000002.jpg"/"000001.JPG"/' set.json >twice.json
    says 3 "are both the picture 000001.jpg" "$BIN/json2anno" --images set/JPEGImages -o anno.tsv twice.json
    worded 'name each as the file is named'
    anno
}

@test "boxes that make no sense as a set: what is needed is said" {
    sed -E 's/"bbox": \[[^]]*\]/"bbox": [0.1, 0.2, 0.3, 0.4]/g' set.json >fractions.json
    says 3 "fractions of the picture" "$BIN/json2anno" -o anno.tsv fractions.json
    worded 'x y width height in pixels'
    sed -E 's/"bbox": \[[^]]*\]/"bbox": [1, 2, 30, 40]/g' set.json >pixels.json
    "$BIN/json2anno" -o anno.tsv pixels.json
    sed -i -E 's,<(x|y)(min|max)>[^<]*,<\1\2>0.5,g' set/Annotations/*.xml
    says 3 "fractions of the picture" voc set
    worded 'xmin ymin xmax ymax in pixels'
}

# ---------------------------------------------------------------- folders of annotations

@test "no such list: without --split" {
    mkdir -p set/ImageSets/Main
    says 3 "there is no such list" voc --split mine set
    worded 'without --split'
    voc set
    printf '000001 -1\n' >set/ImageSets/Main/dog_train.txt
    says 3 "there are: dog_train; without --split" voc --split train set
    says 3 "no row is marked 1; without --split" voc --split dog_train set
    : >set/ImageSets/Main/none.txt
    says 3 "is empty; without --split" voc --split none set
    voc set
}

@test "a part that is not there: without --split" {
    mkdir -p parts/train parts/test
    cp set/Annotations/000001.xml $first parts/train/
    cp set/Annotations/000002.xml set/JPEGImages/000002.jpg parts/test/
    says 3 "there is no annotation in a folder of that name" voc --split valid parts
    worded 'without --split'
    voc parts
}

@test "a list that names an annotation that is not there: its file and line" {
    mkdir -p set/ImageSets/Main
    printf '000001\nnone\n' >set/ImageSets/Main/mine.txt
    says 3 "none.xml" voc --split mine set
    printf '000001\nno one\n' >set/ImageSets/Main/mine.txt
    says 3 "mine.txt:2: " voc --split mine set
}

@test "YOLO's texts without their pictures: --images DIR" {
    mkdir -p labels
    echo '0 0.5 0.5 0.5 0.5' >labels/000001.txt
    says 3 "labels: holds no .xml file, and no .txt (such as 000001.txt) has the name of a picture" voc labels
    worded '--images'
    voc "$step" set/JPEGImages labels
}

@test "JSON in a folder without XML: json2anno" {
    mkdir json
    cp set.json json/
    says 3 "json: holds no annotations" voc json
    worded 'json2anno'
    "$BIN/$step" -o anno.tsv json/set.json
}

@test "two lists of classes that differ: make them equal, or remove one" {
    mkdir -p yolo/a yolo/b
    for part in a b; do
        cp $first yolo/$part/
        echo '0 0.5 0.5 0.5 0.5' >yolo/$part/000001.txt
        echo $part >yolo/$part/classes.txt
    done
    says 3 "has other classes than a/classes.txt" voc yolo
    worded 'remove one'
    rm yolo/b/classes.txt
    voc yolo
}

@test "two annotations of one picture: remove one of them" {
    mkdir two
    cp $first set/Annotations/000001.xml two/
    sed 's,000001.jpg,000001.jpg,' set/Annotations/000001.xml >two/copy.xml
    says 3 "is that of 000001.xml too" voc two
    worded 'remove one of them'
    rm two/copy.xml
    voc two
}

@test "an empty annotation: remove it" {
    : >set/Annotations/000003.xml
    says 3 "set/Annotations/000003.xml: is empty" voc set
    worded 'remove it'
    rm set/Annotations/000003.xml
    voc set
}

# ---------------------------------------------------------------- the split, the cache, trainings

@test "no row, or a share that leaves nothing: annotate, --val-pct" {
    head -n 1 "$(readlink largest.tsv)" >none.tsv
    says 3 "" "$BIN/mkcsv" --lrg - none.tsv
    says 3 "choose another --val-pct" "$BIN/mkcsv" --val v.txt --val-pct 0.01 largest.tsv
    worded '--val-pct'
    "$BIN/mkcsv" --val v.txt "$step" 0.3 largest.tsv
    tail -n +2 largest.tsv | cut -f 2 >all.txt
    says 3 "names all of the" "$BIN/mkcsv" --val v.txt --val-from all.txt largest.tsv
    worded 'leave some'
    sed -i 3,99d all.txt
    "$BIN/mkcsv" --val v.txt --val-from all.txt largest.tsv
}

@test "a list of validation pictures: the nearest name, some left out" {
    cp val.txt good.txt
    sed -i '1s/0000/000x/' val.txt
    says 3 "names mean no picture of lrg.csv, the first 000x" cls
    worded '0000[0-9]*.jpg\?'
    sed -i "1s/.*/${step%\?}/" val.txt
    cls 2>said
    tail -n +2 lrg.csv | cut -d , -f 1 >val.txt
    says 3 "names all" cls
    worded 'leave some out of it'
    head -n 99 good.txt >val.txt
    cls
    : >val.txt
    says 3 "val.txt: is empty" cls
    echo 000099.jpg >only.txt
    says 3 "only.txt: 1 of its 1 names mean no picture of 32.cache" "$BIN/predict" --ckpt cls.ckpt \
        --cache 32.cache --only only.txt
}

@test "too few pictures, too small a batch: the list, --set batch=2" {
    tail -n +3 lrg.csv | cut -d , -f 1 >val.txt
    says 3 "name fewer in val.txt" cls
    cp "$BATS_FILE_TMPDIR/val.txt" .
    says 3 "a batch of 1 cannot train" cls --set batch=1
    worded '--set batch=[0-9]+'
    # shellcheck disable=SC2086
    cls $step
}

@test "a cache of another size, of other pictures, or damaged: resize-cache" {
    says 3 "its pictures are scaled to 32, the network takes 64" cls --size 64
    worded 'resize-cache --size 64'
    # shellcheck disable=SC2086
    "$BIN/"$step --images set/JPEGImages -o 64.cache lrg.csv
    from=64.cache cls --size 64 2>said
    says 3 "scaled to 32" "$BIN/predict" --ckpt cls.ckpt --cache 32.cache
    worded 'resize-cache --size 64'
    head -n 9 lrg.csv >few.csv
    "$BIN/resize-cache" --size 32 --images set/JPEGImages -o 32.cache few.csv 2>said
    says 3 "are not in it" cls
    worded 'run resize-cache'
    cache
    cls 2>said
    truncate -s 400 32.cache
    says 3 "damaged; make it again" cls
    cache
    cls
}

@test "all pictures left out: the file that says why" {
    for n in 000001 000002 000003; do truncate -s 50 set/JPEGImages/$n.jpg; done
    cache --max-bad 3 2>said
    cls 2>said
    printf '000001.jpg\n000002.jpg\n' >only.txt
    says 3 "all its pictures were left out" "$BIN/predict" --ckpt cls.ckpt --cache 32.cache --only only.txt
    worded '[^ ]*.sources'
    grep -q '^000001.jpg.*truncated' "$step"
}

@test "predict: no pictures, the same picture twice, a folder without any" {
    cls 2>said
    says 2 "name files or folders" "$BIN/predict" --ckpt cls.ckpt
    "$BIN/predict" --ckpt cls.ckpt set/JPEGImages >stdout
    says 3 "name it once" "$BIN/predict" --ckpt cls.ckpt $first ./$first
    "$BIN/predict" --ckpt cls.ckpt $first >stdout
    mkdir none
    says 3 "none: no .jpg, .jpeg or .png in this folder" "$BIN/predict" --ckpt cls.ckpt none
    says 3 "none.jpg: cannot open" "$BIN/predict" --ckpt cls.ckpt none.jpg
}

# ---------------------------------------------------------------- make

mk() {
    [ -e Makefile ] || cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" "$root/recipes" .
    env -i PATH="$PATH" HOME="$HOME" ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" \
        make --no-print-directory BIN="$BIN" SIZE=32 OUT=out "$@"
}

@test "make: a missing picture, MAX_BAD=N" {
    rm $first
    says 2 "000001.jpg is missing" mk cache VOC=set
    worded 'MAX_BAD=[0-9]+'
    mk cache VOC=set "$step"
}

@test "make: a share that leaves nothing, VAL_PCT" {
    says 2 "choose another --val-pct" mk csv VOC=set VAL_PCT=0.01
    worded 'VAL_PCT'
    mk csv VOC=set "$step"=0.3
}

@test "make: a list that is not there, SPLIT=" {
    says 2 "there is no such list" mk csv VOC=set SPLIT=mine
    worded 'SPLIT='
    mk csv VOC=set "$step"
}

@test "make: validation pictures that SPLIT leaves out, SPLIT=" {
    mkdir -p set/ImageSets/Main
    seq -f %06g 1 8 >set/ImageSets/Main/train.txt
    seq -f %06g 9 12 >set/ImageSets/Main/val.txt
    says 2 "4 of its 4 names mean no picture of out/lrg.csv, the first 000009" mk out/cls.ckpt VOC=set WEIGHTS=none \
        VAL=set/ImageSets/Main/val.txt TRAINFLAGS='--arch tiny --epochs 1 --set batch=4'
    worded 'SPLIT='
    mk out/cls.ckpt "$step"
    says 2 "FRESH" mk out/cls.ckpt FRESHH=1
}

@test "make: no annotations, VOC=DIR or JSON=FILE IMAGES=DIR" {
    says 2 "no annotations in data/VOC2007" mk csv
    worded 'VOC=DIR'
    mk csv "${step/DIR/set}"
    worded 'JSON=FILE IMAGES=DIR'
    read -r json images <<<"$step"
    mk csv "${json/FILE/set.json}" "${images/DIR/set/JPEGImages}"
    says 2 "no folder nowhere" mk csv JSON=set.json IMAGES=nowhere
    says 2 "JSON=set.json needs IMAGES=DIR" mk csv VOC=set JSON=set.json IMAGES=
    says 2 "there is no file JSON=sat.json (do you mean set.json?)" mk csv JSON=sat.json IMAGES=set/JPEGImages
    mkdir plain
    cp $first plain
    says 2 "1 of them pictures: export as Pascal VOC, YOLO or COCO" mk csv VOC=plain
    echo '{"shapes": []}' >plain/000001.json
    says 2 "no COCO file; export as COCO, Pascal VOC or YOLO" mk csv VOC=plain
    says 2 "no annotations in sett (do you mean set?)" mk csv VOC=sett
}

@test "make: no weights, WEIGHTS=none" {
    says 2 "no weights at" mk cls VOC=set
    worded 'WEIGHTS=none'
    mk out/cls.ckpt VOC=set "$step" TRAINFLAGS='--arch tiny --epochs 1 --set batch=4'
}

@test "make: names of files and settings that are not there, with the nearest" {
    says 2 "do you mean val.txt?" mk cls VOC=set VAL=vall.txt WEIGHTS=none
    says 2 "do you mean recipes?" mk cls VOC=set RECIPES=recipe WEIGHTS=none
    says 2 "there is no setting MAXBAD" mk csv VOC=set MAXBAD=1
    worded 'MAX_BAD'
    mk csv VOC=set "$step"=1
    says 2 "ln -s" mk csv 'VOC=my set'
    ln -s set 'my set'
    says 2 "OUT is empty: give it a name, or leave it out" mk csv VOC=set OUT=
}
