#!/usr/bin/env bats
# Trainings that are interrupted and go on.
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

# go_on NAME OPTION…: the same training again
go_on() {
    local name=$1
    shift
    "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 -o "$name.ckpt" "$@"
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

@test "it may be killed twice, and without a state it starts anew, with --resume in so many words" {
    begun x "${many[@]}"
    begun x "${many[@]}"
    go_on x "${many[@]}" >/dev/null
    run --separate-stderr go_on y --resume "${many[@]}"
    assert_success
    assert_regex "$stderr" "train-detn: there is no y.state to go on with: starting anew"
    cmp x.ckpt y.ckpt
}

@test "with --fresh the training starts anew, and the state is gone before the first epoch ends" {
    begun x "${many[@]}"
    run "${detn[@]}" --bb "$shapes/bb.csv" "${many[@]}" --fresh --threads 2 -o x.ckpt
    assert_success
    assert_line "train-detn: --fresh: x.state of an interrupted training is removed"
    refute_line --partial "going on from"
    "${detn[@]}" --bb "$shapes/bb.csv" "${many[@]}" --fresh --threads 2 -o y.ckpt >/dev/null
    cmp x.ckpt y.ckpt
    for other in --resume '--lr-find x.tsv'; do
        # shellcheck disable=SC2086 # an option and its value
        run "${detn[@]}" --bb "$shapes/bb.csv" --fresh -o x.ckpt $other
        assert_failure 2
    done
}

# interrupted SIGNAL NAME OPTION…: a training that gets the signal when two epochs are over. (Bash lets what it starts
# in the background ignore INT, nohup lets it ignore HUP.)
interrupted() {
    local signal=$1 name=$2
    shift 2
    rm -f table
    env --default-signal=INT,TERM,HUP "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 -o "$name.ckpt" "$@" \
        >table 2>said 3>&- &
    local child=$! status=0
    until grep -qs '^ *1 ' table; do
        kill -0 "$child" || return 1
        sleep 0.01
    done
    kill -s "$signal" "$child"
    wait "$child" || status=$?
    [ "$status" -eq $((128 + $(kill -l "$signal"))) ]
}

@test "Ctrl-C and TERM save the state of the last whole epoch, and the same command goes on to the same bytes" {
    "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 -o whole.ckpt "${many[@]}" >/dev/null 2>&1
    for signal in INT TERM HUP; do
        interrupted $signal "$signal" "${many[@]}"
        run grep -E "^train-detn: interrupted; the same command .or make. goes on from $signal.state, with phase" said
        assert_success
        [ ! -e "$signal.ckpt" ]
        run go_on "$signal" "${many[@]}"
        assert_success
        assert_line --regexp "^train-detn: going on from $signal.state: phase (head, epoch ([2-9]|[1-9][0-9])|all)"
        cmp whole.ckpt "$signal.ckpt"
        cmp <(cut -f 1-6 whole.batches.tsv) <(cut -f 1-6 "$signal.batches.tsv")
        [ ! -e "$signal.state" ]
    done
}

@test "a training that is interrupted in its first epoch says that there is no state yet" {
    "${detn[@]}" --bb "$shapes/bb.csv" --threads 2 --set phase.head.epochs=40 -o x.ckpt >/dev/null 2>said 3>&- &
    local child=$! status=0
    until grep -qs 'phase head' said; do sleep 0.001; done
    kill -s TERM "$child"
    wait "$child" || status=$?
    [ "$status" -eq 143 ]
    # A fast machine may have ended an epoch by now.
    grep -E "interrupted(; the same command| in its first epoch: no state to go on from yet)" said
}

@test "a state of other settings, pictures or weights is refused by --resume and starts anew without" {
    begun x "${many[@]}"
    refused() { # WHAT OPTION…
        local what=$1
        shift
        run go_on x --resume "$@"
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
    run go_on x --epochs 1
    assert_success
    assert_line "train-detn: x.state belongs to another training (recipe): starting anew, which will overwrite it"
    go_on y --epochs 1 >/dev/null
    cmp x.ckpt y.ckpt
}

@test "a damaged state is refused and kept, and --fresh gets past it" {
    begun x "${many[@]}"
    head -c 5000 x.state >short
    size=$(stat -c %s x.state)
    cp x.state rotten
    printf '\x55' | dd of=rotten bs=1 seek=$((size - 2)) conv=notrunc status=none
    for damaged in short rotten /etc/hostname; do
        cat $damaged >x.state
        run go_on x "${many[@]}"
        assert_failure 3
        assert_line --partial "x.state: "
        [ -e x.state ]
    done
    go_on x "${many[@]}" --fresh >/dev/null
}

@test "a state that another number of threads goes on with is taken, with a remark" {
    begun x "${many[@]}"
    run "${detn[@]}" --bb "$shapes/bb.csv" --threads 1 -o x.ckpt "${many[@]}"
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
        --partial "x.batches.tsv: is not the table that x.state goes on from; put that one back, or"
    rm x.batches.tsv
    run go_on x "${many[@]}"
    assert_failure 3
    assert_line --partial "x.state needs its rows (--fresh starts anew without them): x.batches.tsv: cannot"
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

@test "a training that fails in a later epoch keeps what was trained before it, and goes on to the same bytes" {
    INJECT=write:0:EIO LD_PRELOAD="${HELPERS:-}/inject.so" true 2>/dev/null || skip "no seccomp filter here"
    [ -z "${ASAN:-}" ] || skip "a sanitizer has its own memory"
    train detn --weights none --epochs 2 -o a.ckpt
    # each epoch renames two tables: the third is the history of the second epoch
    INJECT=rename:3:EIO LD_PRELOAD="$HELPERS/inject.so" run train detn --weights none --epochs 2 -o x.ckpt
    assert_failure 4
    assert_line "train-detn: what was trained before phase head, epoch 1 is in x.state"
    train detn --weights none --epochs 2 -o x.ckpt
    cmp a.ckpt x.ckpt
}
