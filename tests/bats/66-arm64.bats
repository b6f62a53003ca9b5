#!/usr/bin/env bats
# ARM64: the kernels are compiled for it and run in an emulator, where a compiler and an emulator are installed.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    export WHY_NOT='' UNITS
    if [ "$(uname -m)" = aarch64 ]; then
        WHY_NOT="this is an ARM64 machine: make check runs the kernels without an emulator"
    elif [ -n "${ASAN:-}" ]; then
        WHY_NOT="make check runs the kernels for ARM64, without sanitizers"
    elif ! command -v aarch64-linux-gnu-gcc; then
        WHY_NOT="aarch64-linux-gnu-gcc is not installed (apt-get install gcc-aarch64-linux-gnu)"
    elif ! command -v qemu-aarch64-static; then
        WHY_NOT="qemu-aarch64-static is not installed (apt-get install qemu-user-static)"
    else
        mkdir -p "$HELPERS/arm64"
        touch "$HELPERS/arm64/.ready" # no library for ARM64 is needed
        arm64 -s -j2 CFLAGS='-O2 -Werror' static-units
        UNITS=$(arm64 -s print-static-units)
    fi
}

setup() {
    [ -z "$WHY_NOT" ] || skip "$WHY_NOT"
}

arm64() { # ARGUMENT …: make, for ARM64
    env -i PATH="$PATH" make CUDA=0 CC=aarch64-linux-gnu-gcc BUILD="$HELPERS/arm64" "$@"
}

emulated() { # NAME ARGUMENT …: runs that unit test
    local unit
    for unit in $UNITS; do
        [ "${unit##*/}" != "$1" ] || break
    done
    run qemu-aarch64-static "$unit" "${@:2}"
    assert_success
    refute_output --partial "not ok"
    refute_output --partial "# skip"
}

@test "vectors of NEON do what plain C does" {
    emulated test_vector_neon
}

@test "vectors of NEON with BF16 do what plain C does" {
    emulated test_vector_bf16_neon
}

@test "memory-bound kernels of NEON compute everything on fewer threads" {
    emulated test_cpu_kernels
}

@test "max-pooling on NEON finds the first maximum" {
    emulated test_maxpool
}

@test "products of matrices on NEON agree with double precision" {
    emulated test_matmul
}

@test "Winograd on NEON, with and without BF16, agrees with double precision" {
    emulated test_winograd emulated
}

@test "convolutions of stride 2 on NEON agree with double precision" {
    emulated test_strided
}

@test "direct convolutions on NEON agree with double precision" {
    emulated test_direct
}
