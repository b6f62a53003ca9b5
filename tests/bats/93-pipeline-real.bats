# The pipeline with the real programs, from annotations to figures and pictures, on the little set of shapes.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..
shapes=$root/tests/golden/shapes

# Prints name width height class y1 x1 y2 x2 of the shapes that are PNG files
shapes_rows() {
    paste -d ' ' <(tail -n +2 "$shapes/lrg.csv" | tr , ' ') <(tail -n +2 "$shapes/bb.csv" | cut -d , -f 2) | grep png |
        while read -r name class box; do
            # width and height stand at byte 16, big-endian
            read -r a b c d e f g h < <(od -An -tu1 -j16 -N8 "$shapes/$name")
            echo "$name $((((a * 256 + b) * 256 + c) * 256 + d)) $((((e * 256 + f) * 256 + g) * 256 + h)) $class $box"
        done
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    mkdir -p voc/annotations voc/JPEGImages devkit/Annotations recipes
    cp "$root/Makefile" "$root/pipeline.mk" .
    cp -r "$root/scripts" .
    shapes_rows >rows
    while read -r name _; do cp "$shapes/$name" voc/JPEGImages; done <rows
    cp -r voc/JPEGImages devkit
    awk '
        NR == FNR { if (!($4 in id)) { id[$4] = 0; name[++n] = $4 } next }
        FNR == 1 {
            for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++)
                if (name[j] < name[i]) { t = name[i]; name[i] = name[j]; name[j] = t }
            for (i = 1; i <= n; i++) id[name[i]] = i
        }
        {
            k = $1 + 0; w = $8 - $6 + 1; h = $7 - $5 + 1
            images = images (FNR > 1 ? "," : "") \
                sprintf("{\"file_name\":\"%s\",\"height\":%d,\"width\":%d,\"id\":%d}", $1, $3, $2, k)
            boxes = boxes (FNR > 1 ? "," : "") sprintf("{\"area\":%d,\"iscrowd\":0,\"image_id\":%d," \
                "\"bbox\":[%d,%d,%d,%d],\"category_id\":%d,\"id\":%d,\"ignore\":0}",
                w * h, k, $6, $5, w, h, id[$4], FNR)
        }
        END {
            for (i = 1; i <= n; i++)
                categories = categories (i > 1 ? "," : "") sprintf("{\"id\":%d,\"name\":\"%s\"}", i, name[i])
            printf "{\"images\":[%s],\"type\":\"instances\",\"annotations\":[%s],\"categories\":[%s]}\n",
                   images, boxes, categories
        }' rows rows >voc/annotations/pascal_train2007.json
    while read -r name width height class y1 x1 y2 x2; do
        printf '<annotation><filename>%s</filename>
            <size><width>%d</width><height>%d</height><depth>3</depth></size>
            <object><name>%s</name><difficult>0</difficult>
            <bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax></bndbox></object></annotation>\n' \
            "$name" "$width" "$height" "$class" $((x1 + 1)) $((y1 + 1)) $((x2 + 1)) $((y2 + 1)) \
            >"devkit/Annotations/${name%.png}.xml"
    done <rows
    for model in cls bbox detn; do
        printf '%s\n' 'arch tiny' 'size 64' 'batch 16' 'augment flip 0.5' \
            'phase head from head lr 1e-2 triangular 32 5 epochs 1' \
            'phase all from conv1 lr 2e-3 triangular 32 5 epochs 2' >recipes/$model.recipe
    done
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

mk() {
    env -i PATH="$PATH" HOME="$HOME" ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" make \
        --no-print-directory \
        BIN="$BIN" VOC=voc SIZE=64 WEIGHTS=none "$@"
}

@test "one command makes all products of the three models" {
    run -0 mk -j2 cls bbox detn
    for model in cls bbox detn; do
        [ -s out/$model.0.ckpt ]
        for product in ckpt history.tsv batches.tsv pred.tsv metrics.json grid.png curves.png; do
            [ -s out/$model.$product ]
        done
        "$BIN/train-$model" --check out/$model.ckpt
        "$BIN/predict" --check out/$model.pred.tsv
        "$BIN/render" --check out/$model.grid.png
        "$BIN/evaluate" --check out/$model.metrics.json
    done
    run -0 mk -q cls bbox detn
    run -0 mk cls bbox detn
    refute_output --partial "$BIN/"
}

@test "the recorded L1 is that of the training's last epoch" {
    mk detn >/dev/null
    trained=$(tail -n 1 out/detn.history.tsv | cut -f 6)
    judged=$(grep -o '"l1": {[^}]*' out/detn.metrics.json | head -n 1 | grep -o '[0-9][0-9.]*' | sed -n 2p)
    echo "trained $trained, judged $judged"
    awk -v a="$trained" -v b="$judged" 'BEGIN { exit !(a > 0 && (a - b) ^ 2 < 0.01) }'
}

@test "touched pictures, annotations and text programs retrain nothing" {
    mk detn >/dev/null
    sleep 0.02
    touch voc/JPEGImages/*.png voc/annotations/*.json
    run -1 mk -q detn
    run -0 mk detn
    assert_output --partial "$BIN/resize-cache"
    assert_output --partial "$BIN/json2anno"
    refute_output --partial "$BIN/train-detn"
    run -0 mk -q detn
}

@test "a touched picture is looked at, a changed one is decoded and retrains" {
    mk out/cls.ckpt >/dev/null
    sleep 0.02
    cp voc/JPEGImages/000001.png keep.png
    cp voc/JPEGImages/000002.png voc/JPEGImages/000001.png
    run -0 mk -n out/cls.ckpt
    run -0 mk cache
    assert_output --partial "1 decoded"
    run -0 mk -n out/cls.ckpt
    assert_output --partial "$BIN/train-cls"
    mv keep.png voc/JPEGImages/000001.png
    run -0 mk cache
}

@test "XML annotations give the same tables as JSON" {
    mk csv >/dev/null
    run -0 mk csv VOC=devkit OUT=from-xml
    assert_output --partial "$BIN/voc2json"
    for file in anno.tsv largest.tsv lrg.csv bb.csv val.txt; do
        cmp out/$file from-xml/$file
    done
}

@test "a training with the same seed repeats bit for bit, another seed gives another model" {
    mk OUT=first SEED=3 THREADS=1 first/cls.ckpt >/dev/null
    mk OUT=second SEED=3 THREADS=1 second/cls.ckpt >/dev/null
    cmp first/cls.ckpt second/cls.ckpt
    run -0 mk OUT=second SEED=4 THREADS=1 second/cls.ckpt
    run -1 cmp first/cls.ckpt second/cls.ckpt
}

# bytes FOLDER: its files, but for logs and what holds seconds, dates or times
bytes() {
    (cd "$1" && find . -type f ! -path './log/*' ! -name '*.history.tsv' ! -name '*.batches.tsv' ! -name '*.html' \
        ! -name '*.sources' -exec sha256sum {} + | sort -k 2)
}

@test "two makes at once on one OUT both end well, with the bytes of one" {
    mk OUT=alone cls detn report >/dev/null
    for round in 1 2; do
        rm -rf both
        mk -j2 OUT=both cls detn report >said.first 2>&1 &
        mk -j$round OUT=both detn cls report >said.second 2>&1 || {
            cat said.second
            return 1
        }
        wait $! || {
            cat said.first
            return 1
        }
        assert_equal "$(bytes both)" "$(bytes alone)"
        assert_equal "$(cd both && find . | sort)" "$(cd alone && find . | sort)"
        assert_equal "$(cat said.first said.second | grep -c "^$BIN/train-")" 2
        run -0 mk -q OUT=both cls detn
    done
}

@test "a damaged picture stops the pipeline with its name, and nothing is half made" {
    cp -r voc damaged
    head -c 100 voc/JPEGImages/000002.png >damaged/JPEGImages/000002.png
    run -2 mk VOC=damaged OUT=failed failed/detn.ckpt
    assert_output --partial 000002.png
    [ ! -e failed/64.cache ]
    [ ! -e failed/detn.ckpt ]
    run -1 mk -q VOC=damaged OUT=failed cache
}

@test "make lr and make pictures draw everything of a set, with the values beside each picture" {
    mkdir -p three
    for model in cls bbox detn; do
        printf '%s\n' 'arch tiny' 'size 64' 'batch 8' 'augment flip 0.5' \
            'phase head from head lr 1e-2 triangular 32 5 epochs 1' \
            'phase top from layer3 lr 2e-5 2e-4 2e-3 triangular 32 5 epochs 1' \
            'phase all from conv1 lr 2e-3 triangular 32 5 epochs 1' >three/$model.recipe
    done
    run -0 mk RECIPES=three OUT=pictured lr
    for curve in {cls,bbox,detn}.{head,top}; do
        assert_equal "$(head -n 1 "pictured/lr/$curve.tsv")" "$(printf 'batch\tlr\tloss\tsmoothed')"
        "$BIN/render" --check "pictured/lr/$curve.png"
    done
    [ ! -e pictured/cls.ckpt ]
    run -0 mk RECIPES=three OUT=pictured pictures
    # none of the published run's images is here: the first ones that fit
    names=(01-image-* 02-image-* 03-image-* 04-largest-* 05-cls-sample 06-cls-lr 07-cls-lr-trimmed 08-cls-top-lr \
        09-cls-grid
        10-augment-wrong 11-augment-right 12-bbox-lr 13-bbox-top-lr 14-bbox-grid 15-detn-sample 16-detn-lr
        17-detn-lr-trimmed 18-detn-top-lr 19-detn-grid 20-cls-schedule 21-cls-curves 22-bbox-schedule 23-bbox-curves
        24-detn-schedule 25-detn-curves)
    for name in "${names[@]}"; do
        # shellcheck disable=SC2086
        set -- pictured/pictures/$name.png
        [ -s "${1%.png}.txt" ]
        "$BIN/render" --check "$1"
    done
    assert_equal "$(find pictured/pictures -type f | wc -l)" 50
    val=$(head -n 1 pictured/val.txt)
    assert_equal "$(head -n 2 pictured/pictures/05-cls-sample.txt)" "$(printf '%s\n(64,64,3)' "$val")"
    assert_equal "$(cut -d ' ' -f 1 pictured/pictures/09-cls-grid.txt)" "$(head -n 12 pictured/val.txt)"
    assert_equal "$(cut -d ' ' -f 1 pictured/pictures/19-detn-grid.txt)" "$(head -n 12 pictured/val.txt)"
    # the wrong boxes are nine times the same
    assert_equal "$(tail -n +3 pictured/pictures/10-augment-wrong.txt | cut -d ' ' -f 1 | sort -u | wc -l)" 1
    [ "$(tail -n +3 pictured/pictures/11-augment-right.txt | cut -d ' ' -f 1 | sort -u | wc -l)" -gt 1 ]
    run -0 mk RECIPES=three OUT=pictured pictures
    refute_output --partial "$BIN/"
    # one of them alone, and another image
    rm pictured/pictures/11-augment-right.txt
    run -0 mk RECIPES=three OUT=pictured pictured/pictures/11-augment-right.txt pictured/pictures/01-image-2.png
    [ -s pictured/pictures/11-augment-right.txt ]
    [ -s pictured/pictures/01-image-2.txt ]
}

@test "pictures of curves whose phase the recipe lacks are left out, and that is said" {
    run -0 mk pictures
    assert_line "no out/pictures/08-cls-top-lr.png: the recipe has no such phase"
    assert_line "no out/pictures/13-bbox-top-lr.png: the recipe has no such phase"
    assert_line "no out/pictures/18-detn-top-lr.png: the recipe has no such phase"
    assert_equal "$(find out/pictures -name '*.png' | wc -l)" 22
    run -0 mk lr
    assert_line "no out/lr/cls.top.tsv: the recipe has no such phase"
    run -2 mk out/lr/cls.top.tsv
    assert_output --partial "has no phase 'top'"
}

@test "an image that is not there has no picture" {
    run -2 mk out/pictures/01-image-987654321.png
    assert_output --partial "holds no image '987654321'"
    [ ! -e out/pictures/01-image-987654321.png ]
}
