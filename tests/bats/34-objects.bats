#!/usr/bin/env bats
# The detector of all objects end to end: trained on drawn pictures, it answers with the largest object or with all.
# shellcheck disable=SC2154 # stderr is set by bats

load ../lib/shapes.bash

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$BIN/draw-set" --pictures 48 --size 64 -o set
    "$BIN/voc2json" -o voc.json set
    "$BIN/json2anno" --keep-ignored -o anno.tsv voc.json
    "$BIN/largest" -o largest.tsv anno.tsv
    "$BIN/mkcsv" --lrg lrg.csv --bb bb.csv --val val.txt largest.tsv
    "$BIN/resize-cache" --images set/JPEGImages --size 64 -o 64.cache lrg.csv
    cat >tiny.recipe <<END
arch tiny
size 64
batch 12
precision tf32
augment flip 0.5
augment rotate 3 0.5
phase head from head lr 1e-2 triangular 32 5 epochs 1
phase all from conv1 lr 5e-3 triangular 32 5 epochs 6
END
    train_objects -o objects.ckpt
}

# command_of OPTION…: the command of a training on the set, in `command`. Inputs that are not given are the set's.
command_of() {
    local in=$BATS_FILE_TMPDIR given=" $* " inputs=()
    input() { [[ $given == *" $1 "* ]] || inputs+=("$1" "$2"); }
    input --anno "$in/anno.tsv"
    input --val "$in/val.txt"
    [[ $given == *" --init "* ]] || input --weights none
    command=("$BIN/train-objects" --cache "$in/64.cache" --recipe "$in/tiny.recipe" --threads 2 "${inputs[@]}" "$@")
}

train_objects() { # OPTION…
    command_of "$@"
    "${command[@]}"
}

# predict_val OPTION…: what the trained network says of the validation pictures.
predict_val() {
    local in=$BATS_FILE_TMPDIR
    "$BIN/predict" --ckpt "$in/objects.ckpt" --cache "$in/64.cache" --only "$in/val.txt" "$@"
}

@test "a detector of all objects trains: checkpoints, history, batches, and the loss falls" {
    cd "$BATS_FILE_TMPDIR"
    "$BIN/train-objects" --check objects.ckpt
    "$BIN/train-objects" --check objects.0.ckpt
    [ ! -e objects.state ]
    assert_equal "$(column objects.history.tsv phase | xargs)" "head all all all all all all"
    run awk -F '\t' 'NR == 2 { loss = $3; side = $6 } END { exit !($3 < 0.95 * loss && $5 >= 0 && $6 < 0.95 * side) }' \
        objects.history.tsv
    assert_success
    run "$BIN/train-detn" --check objects.ckpt
    assert_failure 1
}

@test "its table of epochs names what cells are right in" {
    run --separate-stderr train_objects --epochs 1 --until head -o x.ckpt
    assert_success
    assert_line --index 0 "epoch      trn_loss   val_loss   cell_acc   cell_l1    "
    assert_equal "${#lines[@]}" 2
}

@test "--flip: a mirrored picture has the mirrored objects, and other scores than without" {
    cp "$BATS_TEST_DIRNAME"/../golden/image/exif[12].jpg . # the second is the first with a mark that mirrors it
    for flip in "" --flip; do
        # shellcheck disable=SC2086 # nothing or one word
        "$BIN/predict" --ckpt "$BATS_FILE_TMPDIR/objects.ckpt" --all --min 0 $flip exif1.jpg exif2.jpg -o "x$flip.tsv"
    done
    # the picture is 33 pixels wide
    paste <(grep exif1 x--flip.tsv | head -n 5) <(grep exif2 x--flip.tsv | head -n 5) | awk -F '\t' '
        function far(a, b) { return (a - b) ^ 2 > 1e-3 }
        $2 != $9 || far($3, $10) || far($4, $11) || far($5, 32 - $14) || far($6, $13) || far($7, 32 - $12) { bad = 1 }
        END { exit bad || NR < 2 }'
    [ "$(column x.tsv probability)" != "$(column x--flip.tsv probability)" ]
}

@test "killed and started again it ends with the same bytes" {
    local in=$BATS_FILE_TMPDIR child
    command_of --state-every 0 -o x.ckpt
    "${command[@]}" >/dev/null 2>&1 3>&- &
    child=$!
    until [ -e x.state ]; do
        kill -0 "$child"
        sleep 0.01
    done
    kill -9 "$child"
    wait "$child" || true
    run --separate-stderr train_objects -o x.ckpt
    assert_success
    assert_regex "$stderr" "going on from x.state"
    cmp x.ckpt "$in/objects.ckpt"
    cmp <(cut -f 1-6 x.history.tsv) <(cut -f 1-6 "$in/objects.history.tsv")
}

@test "predict answers with the largest object, in the table that evaluate and render take" {
    predict_val -o pred.tsv
    "$BIN/predict" --check pred.tsv
    assert_equal "$(column pred.tsv file_name | sort | xargs)" "$(sort "$BATS_FILE_TMPDIR/val.txt" | xargs)"
    run "$BIN/evaluate" --anno "$BATS_FILE_TMPDIR/anno.tsv" --pred pred.tsv
    assert_success
    run awk '/^mean IoU/ { found = $3 > 0.3 } END { exit !found }' <<<"$output"
    assert_success
}

@test "make objects judges largest and all objects, and the page shows both" {
    local root=$BATS_TEST_DIRNAME/../..
    cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" "$root/recipes" .
    mk() { env -i PATH="$PATH" HOME="$HOME" make --no-print-directory BIN="$BIN" "$@"; }
    run mk objects report VOC="$BATS_FILE_TMPDIR/set" SPLIT= OUT=out SIZE=64 WEIGHTS=none RECIPES=recipes/demo \
        TRAINFLAGS='--epochs 1'
    assert_success
    "$BIN/evaluate" --check out/objects.ap.json
    grep -q '<h2>Detector of all objects</h2>' out/report.html
    grep -q 'All [0-9]* objects of the [0-9]* validation pictures: average precision' out/report.html
    "$BIN/report" --check out/report.html
    # what was given is kept, and nothing is done twice
    run mk objects OUT=out
    assert_success
    assert_output --partial "Nothing to be done for 'objects'"
}

@test "with --all each object is a row, best first, inside its picture; the largest one is among them" {
    predict_val -o pred.tsv
    predict_val --all --min 0 -o all.tsv
    run awk -F '\t' 'NR > 1 { if ($1 == last && $3 > score) exit 1; last = $1; score = $3
        if (!($4 >= 0 && $5 >= 0 && $6 >= $4 && $7 >= $5 && $3 >= 0 && $3 <= 1)) exit 1 }' all.tsv
    assert_success
    # what the table of the largest objects says stands in the other one, line by line
    run grep -cxFf all.tsv pred.tsv
    assert_output "$(wc -l <pred.tsv)"
    run awk -F '\t' 'NR > 1 { n[$1]++ } END { for (f in n) if (n[f] < 2) exit 1 }' all.tsv
    assert_success
}

@test "below --min there is no answer: a picture without one has a row of dashes" {
    predict_val --all --min 1 -o all.tsv
    run awk -F '\t' 'NR > 1 { for (i = 2; i <= 7; i++) if ($i != "-") exit 1; n++ } END { print n }' all.tsv
    assert_success
    assert_output "$(wc -l <"$BATS_FILE_TMPDIR/val.txt")"
    predict_val --min 1 -o pred.tsv
    cmp pred.tsv all.tsv
}

@test "a folder of files and the cache give the same answers; pictures are drawn with every object" {
    local in=$BATS_FILE_TMPDIR
    "$BIN/predict" --ckpt "$in/objects.ckpt" --cache "$in/64.cache" --all --min 0.1 | sort >cache.tsv
    "$BIN/predict" --ckpt "$in/objects.ckpt" --all --min 0.1 --save-pictures seen "$in/set/JPEGImages" | sort >files.tsv
    cmp cache.tsv files.tsv
    assert_equal "$(find seen -name '*.jpg' | wc -l)" 48
}

@test "what does not go together is refused in one line" {
    local in=$BATS_FILE_TMPDIR
    refuses() { # CODE PATTERN COMMAND…
        run "${@:3}"
        assert_failure "$1"
        assert_equal "${#lines[@]}" 1
        assert_line --regexp "$2"
    }
    refuses 2 "--anno FILE is needed" "$BIN/train-objects" --cache "$in/64.cache" --val "$in/val.txt" --weights none \
        --recipe "$in/tiny.recipe" -o x.ckpt
    refuses 2 "--top: .* scores objects" predict_val --top 2
    refuses 2 "--frame .* leave out --all" predict_val --all --frame 64
    train_objects --epochs 1 --until head -o y.ckpt >/dev/null 2>&1
    head -n 1 "$in/anno.tsv" >none.tsv
    refuses 3 "none.tsv: has no object" train_objects --anno none.tsv -o x.ckpt
    awk -F '\t' -v OFS='\t' 'NR > 1 { $10 = 1 } 1' "$in/anno.tsv" >ignored.tsv
    refuses 3 "ignored.tsv: has no object that is not to be ignored" train_objects --anno ignored.tsv -o x.ckpt
    sed 's/^\([^\t]*\t\)\(000001\)/\1other/' "$in/anno.tsv" >other.tsv
    refuses 3 "64.cache: .*other.jpg" train_objects --anno other.tsv -o x.ckpt
    echo unknown.jpg >unknown.txt
    refuses 3 "unknown.txt: .*unknown.jpg" train_objects --val unknown.txt -o x.ckpt
    [ ! -e x.ckpt ]
}

@test "--all is for detectors of all objects; the others say so" {
    local in=$BATS_FILE_TMPDIR
    "$BIN/train-cls" --cache "$in/64.cache" --lrg "$in/lrg.csv" --val "$in/val.txt" --recipe "$in/tiny.recipe" \
        --weights none --epochs 1 --until head -o cls.ckpt >/dev/null 2>&1
    run "$BIN/predict" --ckpt cls.ckpt --all --cache "$in/64.cache"
    assert_failure 2
    assert_output --regexp "^predict: --all: cls.ckpt is a cls network"
}

@test "--lr-find and --summary do as in the other trainings; --init takes a backbone" {
    local in=$BATS_FILE_TMPDIR
    train_objects --lr-find lr.tsv
    assert_equal "$(head -n 1 lr.tsv)" $'batch\tlr\tloss\tsmoothed'
    run --separate-stderr "$BIN/train-objects" --summary --classes 20 --arch resnet34 --size 320
    assert_success
    assert_line --regexp '^Upsample-[0-9]+ +\[-1,192,10,10\] +\[-1,192,20,20\] +- +0$'
    assert_line --index -1 --regexp '^Flatten-[0-9]+ +\[-1,24,20,20\] +\[-1,9600\] +- +0$'
    refute_line --partial "BasicBlock-127"
    "$BIN/train-detn" --cache "$in/64.cache" --lrg "$in/lrg.csv" --bb "$in/bb.csv" --val "$in/val.txt" \
        --recipe "$in/tiny.recipe" --weights none --epochs 1 --until head -o detn.ckpt >/dev/null 2>&1
    run train_objects --init detn.ckpt --epochs 1 --until head -o x.ckpt
    assert_success
    assert_line --partial "starting from the backbone of detn.ckpt, with a new head"
}
