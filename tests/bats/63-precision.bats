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
    ! has_bf16 || train detn --weights none --device cpu --precision bf16 -o bf16.ckpt 2>bf16.log
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    in=$BATS_FILE_TMPDIR
}

has_bf16() {
    case $("$BIN/train-detn" --version) in
    *avx512_core_bf16* | *avx512_core_amx*) return 0 ;;
    *) return 1 ;;
    esac
}

needs_bf16() {
    has_bf16 || skip "this processor has no AVX512_BF16"
}

# predicted NAME OPTION…: writes NAME.tsv
predicted() {
    local name=$1
    shift
    "$BIN/predict" --cache "$in/shapes.cache" --device cpu -o "$name.tsv" "$@" 2>/dev/null
}

@test "without a word a training takes fp32, and says so" {
    assert_equal "$(grep -o 'conv [a-z]*, [a-z0-9]*' "$in/auto.log" | cut -d' ' -f3)" fp32
    assert_equal "$(grep -o 'conv [a-z]*, [a-z0-9]*' "$in/fp32.log" | cut -d' ' -f3)" fp32
    cmp <(cut -f 1-6 "$in/fp32.history.tsv") <(cut -f 1-6 "$in/auto.history.tsv") # the rest are times
}

@test "bf16 trains a little net as well as fp32: both losses fall, to about the same" {
    needs_bf16
    assert_equal "$(grep -o 'conv [a-z]*, [a-z0-9]*' "$in/bf16.log" | cut -d' ' -f3)" bf16
    for precision in bf16 fp32; do
        column "$in/$precision.history.tsv" trn_loss | awk -v limit=0.9 'NR == 1 { first = $1 } END { exit !($1 < limit * first) }'
    done
    paste <(column "$in/bf16.history.tsv" trn_loss) <(column "$in/fp32.history.tsv" trn_loss) |
        awk '$1 / $2 < 0.8 || $1 / $2 > 1.25 { print; exit 1 }'
}

@test "the same seed gives the same bytes in bf16 too" {
    needs_bf16
    train detn --weights none --device cpu --precision bf16 -o again.ckpt
    cmp again.ckpt "$in/bf16.ckpt"
}

@test "a prediction computes in fp32, in bf16 when told, whatever its network was trained in" {
    needs_bf16
    for name in auto bf16 fp32; do
        predicted default --ckpt "$in/$name.ckpt"
        predicted told --ckpt "$in/$name.ckpt" --precision fp32
        predicted rough --ckpt "$in/$name.ckpt" --precision bf16
        cmp default.tsv told.tsv
        run cmp -s default.tsv rough.tsv
        assert_failure 1
    done
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
