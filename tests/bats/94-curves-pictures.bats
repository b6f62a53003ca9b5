#!/usr/bin/env bats
# make lr and make pictures: what they run, and what they leave alone; with stand-ins for the programs.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
load ../lib/standins

setup() {
    standin_tree
    for model in cls bbox detn; do
        printf '%s\n' 'arch resnet34' 'phase head from head lr 1e-2 triangular 32 5 epochs 3' \
            'phase top from layer3 lr 1e-5 1e-4 1e-3 triangular 32 5 epochs 3' \
            'phase all from conv1 lr 1e-5 1e-4 1e-3 triangular 32 5 epochs 3' >recipes/$model.recipe
    done
}

# ---------------------------------------------------------------- learning-rate curves

@test "a curve after phase head trains that phase alone" {
    run -0 mk out/lr/detn.top.tsv
    assert_equal "$(calls)" "json2anno largest mkcsv resize-cache train-detn train-detn"
    [ -e out/lr/detn.0.ckpt ]
    [ ! -e out/detn.ckpt ]
    assert_output --regexp "train-detn .*--weights data/resnet34.safetensors .*--until head -o out/lr/detn.0.ckpt"
    assert_output --regexp "train-detn .*--init out/lr/detn.0.ckpt .*--phase top --lr-start 1e-7,1e-6,1e-5 --lr-end 10\
 --lr-find out/lr/detn.top.tsv"
    run -0 mk out/lr/detn.top.tsv
    assert_equal "$(calls)" ""
}

@test "after a training the curve starts from the checkpoint that this left" {
    mk out/detn.ckpt >/dev/null
    calls >/dev/null
    run -0 mk out/lr/detn.top.tsv
    assert_equal "$(calls)" "train-detn"
    cmp out/detn.0.ckpt out/lr/detn.0.ckpt
    run -0 mk out/lr/detn.top.tsv out/detn.ckpt
    assert_equal "$(calls)" ""
}

@test "a checkpoint of other settings or of older data is not taken" {
    mk out/cls.ckpt out/bbox.ckpt out/detn.ckpt >/dev/null
    calls >/dev/null
    later
    run -0 mk out/lr/cls.top.tsv SEED=3
    assert_equal "$(calls)" "train-cls train-cls"
    echo more >voc/JPEGImages/3.jpg
    run -0 mk out/lr/bbox.top.tsv
    assert_equal "$(calls)" "json2anno resize-cache train-bbox train-bbox"
    sed -i '/phase head/d' recipes/detn.recipe
    run -0 mk out/lr/detn.top.tsv
    assert_equal "$(calls)" "train-detn train-detn"
}

@test "a curve depends on the settings and on phase head, not on the rates that it is for" {
    mk lr >/dev/null
    calls >/dev/null
    later
    sed -i '/phase all/s/1e-5/2e-5/; /phase top/s/1e-5/2e-5/' recipes/*.recipe
    run -0 mk lr
    assert_equal "$(calls)" ""
    sed -i '/phase head/s/1e-2/2e-2/' recipes/cls.recipe
    run -0 mk lr
    assert_equal "$(calls)" "render train-cls train-cls"
    sed -i 's/from layer3/from conv1/' recipes/bbox.recipe
    run -0 mk lr
    assert_equal "$(calls)" "render train-bbox"
    echo 'batch 32' >>recipes/detn.recipe
    run -0 mk lr
    assert_equal "$(calls)" "render render train-detn train-detn train-detn"
}

@test "all six curves have the published run's first and last rates" {
    run -0 mk -n lr
    for want in 'cls .*--phase head --lr-start 1e-5 --lr-end 100' \
        'cls .*--phase top --lr-start 2e-8,2e-7,2e-5 --lr-end 10' \
        'bbox .*--phase head --lr-start 1e-5 --lr-end 100' 'bbox .*--phase top --lr-start 2e-8,2e-7,2e-6 --lr-end 10' \
        'detn .*--phase head --lr-start 1e-5 --lr-end 10' 'detn .*--phase top --lr-start 1e-7,1e-6,1e-5 --lr-end 10'; do
        assert_output --regexp "train-$want"
    done
    run -0 mk lr
    for curve in {cls,bbox,detn}.{head,top}; do
        [ -s "out/lr/$curve.tsv" ]
        [ -s "out/lr/$curve.png" ]
    done
    run -0 mk -q lr
}

@test "TRAINFLAGS go to the curves too, and without data or weights they refuse as trainings do" {
    run -0 mk -n out/lr/cls.top.tsv TRAINFLAGS='--set batch=32'
    assert_output --regexp "--set batch=32 --until head"
    assert_output --regexp "--set batch=32 --phase top"
    run -2 mk out/lr/cls.head.tsv VOC=nowhere
    assert_output --partial "no annotations in nowhere (there is no such folder): "
    run -2 mk out/lr/cls.head.tsv WEIGHTS=nowhere
    assert_output --partial "no weights at nowhere"
}

# ---------------------------------------------------------------- pictures

@test "the pictures of the published run have its images in their names and need its trainings and curves" {
    run -0 mk pictures
    assert_equal "$(cd out/pictures && echo *.png)" \
        "01-image-12.png 02-image-9654.png 03-image-17.png 04-largest-17.png\
 05-cls-sample.png 06-cls-lr.png 07-cls-lr-trimmed.png 08-cls-top-lr.png 09-cls-grid.png 10-augment-wrong.png\
 11-augment-right.png 12-bbox-lr.png 13-bbox-top-lr.png 14-bbox-grid.png 15-detn-sample.png 16-detn-lr.png\
 17-detn-lr-trimmed.png 18-detn-top-lr.png 19-detn-grid.png 20-cls-schedule.png 21-cls-curves.png\
 22-bbox-schedule.png 23-bbox-curves.png 24-detn-schedule.png 25-detn-curves.png"
    for picture in out/pictures/*.png; do
        [ -s "${picture%.png}.txt" ]
    done
    calls >/dev/null
    run -0 mk pictures
    assert_equal "$(calls)" ""
    # each is a target of its own, with its values
    rm out/pictures/0*
    run -0 mk out/pictures/07-cls-lr-trimmed.png out/pictures/05-cls-sample.txt
    assert_equal "$(calls)" "render render"
    run -0 mk out/pictures/07-cls-lr-trimmed.txt out/pictures/05-cls-sample.png
    assert_equal "$(calls)" ""
    run -0 mk pictures
    assert_equal "$(calls | wc -w)" 7
}

@test "one picture makes what it needs and no more" {
    run -0 mk out/pictures/01-image-12.png
    assert_equal "$(calls)" "json2anno render"
    run -0 mk out/pictures/10-augment-wrong.png
    assert_equal "$(calls)" "largest mkcsv render resize-cache"
    run -0 mk out/pictures/06-cls-lr.png
    assert_equal "$(calls)" "render train-cls"
    run -0 mk out/pictures/09-cls-grid.png
    assert_equal "$(calls)" "predict render train-cls"
}

@test "a dry run of make pictures touches nothing" {
    before=$(tree_state)
    run -0 mk -n pictures
    assert_output --partial "out/pictures/19-detn-grid.png"
    assert_equal "$(tree_state)" "$before"
}

@test "where the published run's images do not fit, others are chosen" {
    row() { printf '%d\t%d.jpg\t9\t9\t%s\t1\t1\t5\t5\t%d\n' "$1" "$1" "$2" "$3"; }
    printf 'image_id\tfile_name\twidth\theight\tcategory\ty1\tx1\ty2\tx2\tignore\n' >head.tsv
    { cat head.tsv; row 17 a 0; row 17 b 0; row 12 a 0; row 12 a 1; row 9654 c 0; row 3 a 0; row 3 a 0; row 3 b 0; \
        } >t.tsv
    assert_equal "$(awk -f scripts/pictures.awk t.tsv)" "12 9654 17"
    { cat head.tsv; row 12 a 0; row 12 a 0; row 17 a 0; row 4 a 0; row 5 a 0; row 5 b 0; row 6 a 0; row 6 a 0; \
        row 6 a 0; } >t.tsv
    assert_equal "$(awk -f scripts/pictures.awk t.tsv)" "17 6 5"
    { cat head.tsv; row 8 a 0; } >t.tsv
    assert_equal "$(awk -f scripts/pictures.awk t.tsv)" "8 8 8"
    assert_equal "$(awk -f scripts/pictures.awk head.tsv)" ""
}
