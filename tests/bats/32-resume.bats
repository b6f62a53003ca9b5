#!/usr/bin/env bats
# Trainings that are interrupted and taken up again.
# shellcheck disable=SC2154 # shapes is set by shapes.bash

load ../lib/shapes.bash

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    detn=("$BIN/train-detn" --cache "$BATS_FILE_TMPDIR/shapes.cache" --val "$shapes/val.txt" --lrg "$shapes/lrg.csv"
        --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --weights none)
}

# begun NAME OPTION…: a training to NAME.ckpt, killed without a word when NAME.state has been there for a moment.
begun() {
    local name=$1
    shift
    "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 --state-every 0 -o "$name.ckpt" "$@" >/dev/null 2>&1 3>&- &
    local child=$!
    until [ -e "$name.state" ]; do
        kill -0 "$child" || return 1
        sleep 0.01
    done
    sleep 0.2
    kill -9 "$child" || return 1
    wait "$child" || true
    [ -e "$name.state" ]
    [ ! -e "$name.ckpt" ]
}

# go_on NAME OPTION…: the same training with --resume
go_on() {
    local name=$1
    shift
    "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 --resume -o "$name.ckpt" "$@"
}

many=(--set phase.head.epochs=40 --set phase.all.epochs=8)

@test "killed in a phase and taken up again, a training ends with the bytes of one that was not" {
    "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 -o whole.ckpt "${many[@]}" >/dev/null 2>&1
    assert_equal "$(files)" "whole.0.ckpt whole.batches.tsv whole.ckpt whole.history.tsv"
    begun cut "${many[@]}"
    run --separate-stderr go_on cut "${many[@]}"
    assert_success
    # shellcheck disable=SC2154 # bats sets it
    assert_regex "$stderr" "train-detn: going on from cut.state: phase (head, epoch [1-9]|all, epoch )"
    assert_line --index 0 "epoch      trn_loss   val_loss   detn_acc   detn_l1    "
    cmp whole.ckpt cut.ckpt
    cmp whole.0.ckpt cut.0.ckpt
    cmp <(cut -f 1-6 whole.history.tsv) <(cut -f 1-6 cut.history.tsv)
    cmp <(cut -f 1-6 whole.batches.tsv) <(cut -f 1-6 cut.batches.tsv)
    [ ! -e cut.state ]
}

@test "it may be killed twice, and without a state it starts anew and says so" {
    begun x "${many[@]}"
    begun x --resume "${many[@]}"
    go_on x "${many[@]}" >/dev/null
    run --separate-stderr go_on y "${many[@]}"
    assert_success
    assert_regex "$stderr" "train-detn: there is no y.state to go on with: starting anew"
    cmp x.ckpt y.ckpt
}

@test "without --resume the training starts anew, and the state is mentioned" {
    begun x "${many[@]}"
    run "${detn[@]}" --bb "$shapes/bb.csv" --epochs 1 -o x.ckpt
    assert_success
    assert_line --regexp "^train-detn: x.state of an interrupted training is here: --resume would go on with it, but"
    [ ! -e x.state ]
}

@test "a state of other settings, pictures or weights, or a damaged one, is refused and kept" {
    begun x "${many[@]}"
    refused() { # WHAT OPTION…
        local what=$1
        shift
        run go_on x "$@"
        assert_failure 3
        assert_line --partial "x.state: $what"
        [ -e x.state ]
        [ ! -e x.ckpt ]
    }
    refused "belongs to another training (recipe)"
    refused "belongs to another training (recipe)" "${many[@]}" --seed 7
    refused "belongs to another training (options)" "${many[@]}" --bn-freeze
    sed '2s/,[^,]*$/,1 2 30 40/' "$shapes/bb.csv" >in.bb.csv
    run "${detn[@]}" --bb in.bb.csv "${many[@]}" --resume -o x.ckpt
    assert_failure 3
    assert_line --partial "x.state: belongs to another training (labels)"
    cp x.state in.state
    head -c 5000 in.state >x.state
    refused "" "${many[@]}"
    printf 'no state' >x.state
    refused "" "${many[@]}"
}

@test "a state that another number of threads goes on with is taken, with a remark" {
    begun x "${many[@]}"
    run "${detn[@]}" --bb "$shapes/bb.csv" --threads 1 --resume -o x.ckpt "${many[@]}"
    assert_success
    assert_line --regexp "^train-detn: it was written on .*2 threads.*: the last digits may come out differently$"
    "$BIN/train-detn" --check x.ckpt
}

@test "--resume and --lr-find exclude each other" {
    run "${detn[@]}" --bb "$shapes/bb.csv" --resume --lr-find x.tsv
    assert_failure 2
    assert_output --partial "--resume belongs to a training"
}

# header FILE: the header of a safetensors file
header() {
    tail -c +9 "$1" | head -c "$(od -An -tu8 -N8 "$1" | xargs)"
}

@test "the state holds no rows of the tables, so that it does not grow with them" {
    begun x "${many[@]}"
    assert_regex "$(header x.state)" '"batches":"[0-9]+ [0-9a-f]{64}"'
    run grep -F '\t' <(header x.state)
    assert_failure 1
}

@test "a state whose tables are gone or others is refused, and a table without a file begins anew" {
    begun x "${many[@]}"
    cp x.batches.tsv in.batches
    sed 's/head/haed/' in.batches >x.batches.tsv
    run go_on x "${many[@]}"
    assert_failure 3
    assert_line \
        --partial "x.batches.tsv: is not the table that x.state goes on from; put that one back, or remove the state"
    rm x.batches.tsv
    run go_on x "${many[@]}"
    assert_failure 3
    assert_line --partial "x.state needs its rows: x.batches.tsv: cannot open"
    [ -e x.state ]
    [ ! -e x.ckpt ]
    cp in.batches x.batches.tsv
    go_on x "${many[@]}" --history /dev/null
}

@test "a state that cannot be written is remarked once, and the training goes on to the same bytes" {
    "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 --epochs 5 -o whole.ckpt >/dev/null
    # With the moments of all layers the state is three times the checkpoint.
    limit=$(($(stat -c %s whole.ckpt) * 2 / 1024))
    run bash -c 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"' bash $limit \
        "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 --epochs 5 --state-every 0 -o x.ckpt
    assert_success
    assert_equal "$(grep -c 'x.state: .*File too large; the training goes on, and tries it again' <<<"$output")" 1
    cmp whole.ckpt x.ckpt
}
