#!/usr/bin/env bats
# Processors without AVX-512: the kernels for them give the same results, chosen by the limits that tests can set.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

# as_if ISA ONEDNN_ISA PROGRAM …: runs a program as on a processor that has no more
as_if() {
    local ours=$1 library=$2
    shift 2
    run env ONEBOX_MAX_ISA="$ours" ONEDNN_MAX_CPU_ISA="$library" "$@"
}

unit() { # NAME: path of a unit test, or skips
    local unit
    for unit in ${UNITS:-}; do
        case $unit in
        /*/"$1") printf '%s' "$unit" ;;
        */"$1") printf '%s' "$BATS_TEST_DIRNAME/../../$unit" ;;
        esac
    done
}

@test "with AVX2 alone every operation agrees with the double-precision reference" {
    device=$(unit test_device)
    [ -n "$device" ] || skip "tests/run was not given test_device"
    as_if avx2 AVX2 "$device"
    assert_success
    refute_output --partial "not ok"
}

@test "with AVX2 alone networks agree with PyTorch" {
    network=$(unit test_network)
    [ -n "$network" ] || skip "tests/run was not given test_network"
    as_if avx2 AVX2 "$network"
    assert_success
    refute_output --partial "not ok"
}

@test "--version names the kernels that are used" {
    as_if avx2 AVX2 "$BIN/train-cls" --version
    assert_success
    assert_output --partial "kernels avx2"
    as_if sse2 SSE41 "$BIN/train-cls" --version
    assert_output --partial "kernels sse2"
}
