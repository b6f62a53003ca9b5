# make demo, smaller than it is: from nothing to figures with the real programs, and nothing more the second time.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..

# make in a copy of the project that has its programs in $BIN already
mk() {
    env -i PATH="$PATH" HOME="$HOME" make --no-print-directory BIN="$BIN" DEMO_PICTURES=1200 \
        TRAINFLAGS='--epochs 12 --set batch=32' "$@"
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    cp "$root/Makefile" "$root/pipeline.mk" .
    cp -r "$root/scripts" "$root/recipes" .
    # what a user keeps for other data is none of the demo's business
    printf '%s\n' 'VOC = nowhere' 'JSON = none.json' 'WEIGHTS = none.safetensors' 'SIZE = 224' 'SPLIT = test' >config.mk
    started=$SECONDS
    mk demo >said 2>notes || { cat said notes; return 1; }
    echo $((SECONDS - started)) >seconds
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    demo=out/demo
}

# above MODEL METRIC BAR: the figure of the metrics file is at least that.
above() {
    local value
    value=$(sed -n "s/^  \"$2\": {\"value\": \([0-9.]*\),.*/\1/p" "$demo/$1.metrics.json")
    echo "$1 $2: $value, at least $3 is needed"
    awk -v v="$value" -v bar="$3" 'BEGIN { exit !(v != "" && v >= bar) }'
}

@test "a small demo runs through, with every product" {
    for model in cls bbox detn objects; do
        for product in ckpt history.tsv batches.tsv pred.tsv metrics.json grid.png curves.png; do
            [ -s "$demo/$model.$product" ]
        done
        "$BIN/train-$model" --check "$demo/$model.ckpt"
    done
    "$BIN/draw-set" --check "$demo/voc"
    [ -s "$demo/report.html" ]
    "$BIN/evaluate" --check "$demo/objects.ap.json"
    assert_equal "$(wc -l <"$demo/val.txt")" 240
    assert_equal "$(wc -l <"$demo/detn.pred.tsv")" 241
    echo "took $(cat seconds) s" >&3
}

@test "the models have learned: far above chance on the drawings held back" {
    above cls accuracy 0.45 # one of six classes by chance
    above bbox mean_iou 0.55
    above detn accuracy 0.50
    above detn mean_iou 0.45
    above detn locacc_largest 0.35
    above objects locacc_largest 0.35
}

@test "it says what each step is, what it runs, and the figures at the end" {
    run -0 cat said
    assert_line --regexp '^1/8  Draw pictures'
    assert_line --regexp '^8/8  Let the four judge'
    assert_line "  \$ $BIN/draw-set --pictures 1200 --seed 1 -o out/demo/voc"
    assert_line --partial "  \$ $BIN/train-detn --cache out/demo/96.cache --lrg out/demo/lrg.csv"
    for epoch in 4 9 11; do
        assert_equal "$(grep -c -E "^ +$epoch  +[0-9.]+ " said)" 4
    done
    refute_line --regexp '^ +7  '
    assert_line "240 drawings that no training has seen, each judged by its largest object:"
    accuracy=$(sed -n 's/^  "accuracy": {"value": \([0-9.]*\),.*/\1/p' "$demo/detn.metrics.json")
    assert_line --regexp "^detn .* $(awk -v a="$accuracy" 'BEGIN { printf "%.1f", 100 * a }') %"
    # the files to look at are there
    sed -n '/^Look at/,/^Try/p' said | awk '/^  / { print $1 }' >look
    [ "$(wc -l <look)" -eq 5 ]
    while read -r file; do [ -e "$file" ]; done <look
    # what to try works
    sed -n '/^Try/,$p' said | grep "^  $BIN/" >try
    [ "$(wc -l <try)" -eq 2 ]
    run -0 sh -e ./try
    [ "$(find "$demo/seen" -name '*.jpg' | wc -l)" -eq 9 ]
    rm -r "$demo/new" "$demo/seen"
    # short enough to read
    [ "$(wc -l <said)" -le 90 ]
}

@test "a second make demo only shows the figures" {
    before=$(find out -printf '%p %T@\n' | sort | sha256sum)
    run -0 --separate-stderr mk demo
    assert_equal "$(find out -printf '%p %T@\n' | sort | sha256sum)" "$before"
    # shellcheck disable=SC2154 # set by run
    assert_equal "$stderr" ""
    assert_equal "$(grep -c '(done before)$' <<<"$output")" 8
    assert_equal "$(tail -n 21 <<<"$output")" "$(tail -n 21 said)"
    run -0 mk -n demo
    refute_output --regexp "(^|[[:space:]])$BIN/" # no command of it
}

@test "status, why and single products of the demo need its OUT only" {
    run -0 mk status OUT=out/demo
    assert_equal "$(grep -c ' up to date ' <<<"$output")" "$(($(wc -l <<<"$output") - 1))"
    run -0 mk why OUT=out/demo
    assert_output ""
    run -0 mk -q OUT=out/demo out/demo/detn.grid.png
    run -0 mk why OUT=out/demo SEED=5
    assert_line --partial "detn: other settings, see make params-diff"
}

@test "other drawings lead to everything anew, by a dry run too" {
    before=$(find . -printf '%p %T@\n' | sort | sha256sum)
    run -0 mk -n demo DEMO_SEED=2
    assert_line --regexp "draw-set --pictures 1200 --seed 2 +-o out/demo/voc$"
    assert_line "# and then all that the drawings lead to"
    run -0 mk -n demo DEMO_OUT=out/other
    assert_line --regexp "draw-set --pictures 1200 --seed 1 +-o out/other/voc$"
    assert_equal "$(find . -printf '%p %T@\n' | sort | sha256sum)" "$before"
}

@test "the last row of a training's table comes before what the training says in the end" {
    rm out/demo/cls.ckpt
    run mk demo
    assert_success
    assert_equal "$(grep -B 1 '^train-cls: phase all done' <<<"$output" | awk 'NR == 1 { print $1 }')" 11
}

@test "a step that fails ends the demo with its message" {
    mkdir -p bin
    for program in "$BIN"/*; do ln -sf "$program" bin/; done
    rm bin/voc2json
    printf '#!/bin/sh\necho "voc2json: told to fail" >&2\nexit 3\n' >bin/voc2json
    chmod +x bin/voc2json
    run mk demo BIN=bin DEMO_OUT=out/broken DEMO_PICTURES=8
    assert_failure
    assert_line "voc2json: told to fail"
    refute_line --partial "3/8"
    refute_line --partial "drawings that no training has seen"
}
