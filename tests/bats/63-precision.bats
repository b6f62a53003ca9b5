#!/usr/bin/env bats
# --precision: what a training and a prediction compute in, by default and when told.
# shellcheck disable=SC2154 # shapes and stderr are set by shapes.bash and bats

load ../lib/shapes.bash

setup_file() {
    shapes_cache
    sed -i /^precision/d "$BATS_FILE_TMPDIR/tiny.recipe" # auto
    cd "$BATS_FILE_TMPDIR" || return 1
    train detn --weights none --device cpu -o auto.ckpt 2>auto.log
    train detn --weights none --device cpu --precision fp32 -o fp32.ckpt 2>fp32.log
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    in=$BATS_FILE_TMPDIR
}

# What auto is here.
fastest() {
    case $("$BIN/train-detn" --version) in
    *"fp32 and bf16"*) echo bf16 ;;
    *) echo fp32 ;;
    esac
}

# predicted NAME OPTION…: writes NAME.tsv
predicted() {
    local name=$1
    shift
    "$BIN/predict" --cache "$in/shapes.cache" --device cpu -o "$name.tsv" "$@" 2>/dev/null
}

@test "without a word a training takes bf16 where the processor has it, else fp32, and says so" {
    assert_equal "$(grep -o 'conv [a-z]*, [a-z0-9]*' "$in/auto.log" | cut -d' ' -f3)" "$(fastest)"
    assert_equal "$(grep -o 'conv [a-z]*, [a-z0-9]*' "$in/fp32.log" | cut -d' ' -f3)" fp32
    train detn --weights none --device cpu --precision "$(fastest)" -o named.ckpt
    cmp <(cut -f 1-6 named.history.tsv) <(cut -f 1-6 "$in/auto.history.tsv") # the rest are times
}

@test "bf16 trains as well as fp32: both losses fall, to about the same" {
    [ "$(fastest)" != fp32 ] || skip "this processor has no AVX512_BF16"
    for precision in auto fp32; do
        column "$in/$precision.history.tsv" trn_loss |
            awk -v limit=0.9 'NR == 1 { first = $1 } END { exit !($1 < limit * first) }'
    done
    paste <(column "$in/auto.history.tsv" trn_loss) <(column "$in/fp32.history.tsv" trn_loss) |
        awk '$1 / $2 < 0.8 || $1 / $2 > 1.25 { print; exit 1 }'
}

@test "the same seed gives the same bytes in auto too" {
    train detn --weights none --device cpu -o again.ckpt
    cmp again.ckpt "$in/auto.ckpt"
}

@test "a prediction computes as its network was trained, unless told otherwise" {
    predicted default --ckpt "$in/fp32.ckpt"
    predicted told --ckpt "$in/fp32.ckpt" --precision fp32
    predicted other --ckpt "$in/fp32.ckpt" --precision auto
    cmp default.tsv told.tsv
    predicted auto --ckpt "$in/auto.ckpt"
    predicted named --ckpt "$in/auto.ckpt" --precision "$(fastest)"
    predicted plain --ckpt "$in/auto.ckpt" --precision fp32
    cmp auto.tsv named.tsv
    if [ "$(fastest)" != fp32 ]; then
        run cmp -s default.tsv other.tsv
        assert_failure 1
        run cmp -s auto.tsv plain.tsv
        assert_failure 1
    fi
}

@test "bf16 is refused where the processor lacks it, and auto is fp32 there" {
    export ONEBOX_MAX_ISA=avx2 ONEDNN_MAX_CPU_ISA=AVX2
    run --separate-stderr train detn --weights none --device cpu --precision bf16 -o x.ckpt
    assert_failure 2
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == "train-detn: precision bf16 needs a processor with "*"use --precision fp32 or auto" ]]
    train detn --weights none --device cpu --until head -o old.ckpt 2>old.log
    grep -q ', fp32$' old.log
    run "$BIN/predict" --cache "$in/shapes.cache" --device cpu -o old.tsv --ckpt "$in/auto.ckpt"
    assert_success
}
