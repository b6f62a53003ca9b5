#!/usr/bin/env bats
# oneDNN is a library that the programs open when they run: what is found, what is refused, how the build looks for it.
# shellcheck disable=SC2154 # stderr is set by bats
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    cd "$BATS_TEST_TMPDIR" || return 1
    unset ONEBOX_ONEDNN_LIBRARY
}

built() {
    [ -e "$BIN/onebox-onednn.so" ] || skip "oneDNN was not there when this was built"
}

@test "no program is linked with oneDNN" {
    for program in "$BIN"/*; do
        case $program in */onebox | *.so) continue ;; esac
        run -0 ldd "$program"
        refute_output --partial dnnl
    done
}

@test "oneDNN's part has one symbol, and --version says which oneDNN it is" {
    built
    # the sanitizer marks each symbol with one of its own
    run -0 bash -c "nm -D --defined-only '$BIN/onebox-onednn.so' | grep -v __odr_asan"
    assert_output --regexp "^[0-9a-f]+ . onebox_onednn$"
    run -0 "$BIN/train-cls" --version
    assert_line --regexp '^oneDNN [23][0-9.]+ \([a-z0-9_]+\)$'
}

@test "--version says why oneDNN cannot be used" {
    ONEBOX_ONEDNN_LIBRARY=nowhere.so run -0 "$BIN/predict" --version
    assert_line "no oneDNN (ONEBOX_ONEDNN_LIBRARY names no file: nowhere.so)"
    echo text >in.so
    ONEBOX_ONEDNN_LIBRARY=$PWD/in.so run -0 "$BIN/predict" --version
    assert_line --partial "no oneDNN (oneDNN cannot be loaded: $PWD/in.so"
    other=$(ldd "$BIN/predict" | sed -n 's/.*=> \(.*libm.so.6\) .*/\1/p')
    ONEBOX_ONEDNN_LIBRARY=$other run -0 "$BIN/predict" --version
    assert_line --regexp "^no oneDNN \(.*/libm.so.6 belongs to another build of onebox: make and install again\)$"
    cp "$BIN/predict" .
    run -0 ./predict --version
    assert_line "no oneDNN (oneDNN is not in this build (onebox-onednn.so): build where oneDNN is installed\
 (libdnnl-dev))"
}

train() { # LIBRARY CONV
    shapes=$root/tests/golden/shapes
    printf 'arch tiny\nsize 64\nbatch 16\nphase head from head lr 1e-2 triangular 32 5 epochs 1\n' >bbox.recipe
    "$BIN/resize-cache" --images "$shapes" --size 64 -o 64.cache "$shapes/lrg.csv"
    ONEBOX_ONEDNN_LIBRARY=$1 run --separate-stderr "$BIN/train-bbox" --device cpu --cache 64.cache \
        --bb "$shapes/bb.csv" --val "$shapes/val.txt" --weights none --recipe bbox.recipe --conv "$2" -o bbox.ckpt
}

@test "without oneDNN networks are computed all the same, but --conv onednn is refused in one line" {
    train nowhere.so auto
    assert_success
    assert_regex "$stderr" "on cpu: kernels [a-z0-9]+, [0-9]+ threads?, conv [a-z]+, (fp32|bf16)"
    rm bbox.ckpt
    train nowhere.so onednn
    assert_failure 4 # as for a device that is not there
    assert_equal "${#stderr_lines[@]}" 1
    assert_equal "$stderr" "train-bbox: ONEBOX_ONEDNN_LIBRARY names no file: nowhere.so"
    [ ! -e bbox.ckpt ]
}

@test "with --conv onednn oneDNN computes the convolutions, and the first line says so" {
    built
    train "" onednn
    assert_success
    assert_regex "$stderr" "on cpu: oneDNN [0-9.]+ [a-z0-9_]+, kernels [a-z0-9]+, [0-9]+ threads?, conv onednn, "
}

@test "the build takes versions 2 and 3 of oneDNN" {
    headers() { # MAJOR MINOR
        mkdir -p new/oneapi/dnnl
        printf '#define DNNL_VERSION_MAJOR %s\n#define DNNL_VERSION_MINOR %s\n' "$1" "$2" \
            >new/oneapi/dnnl/dnnl_version.h
    }
    headers 3 6
    CPATH=$PWD/new run -0 "$root/scripts/deps" --onednn
    assert_output "yes 3.6"
    headers 4 1
    CPATH=$PWD/new run -0 "$root/scripts/deps" --onednn
    assert_output "no oneDNN 4.1 is installed, but this program is written for versions 2 and 3"
    printf '#error none\n' >new/oneapi/dnnl/dnnl_version.h
    CPATH=$PWD/new run -0 "$root/scripts/deps" --onednn
    assert_output "no oneDNN is not installed (Debian: apt-get install libdnnl-dev)"
}

@test "ONEDNN=auto goes on without oneDNN and says so once, ONEDNN=1 stops, ONEDNN=0 does not look" {
    mkdir -p common/base common/device stages new/oneapi/dnnl
    cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" .
    printf 'int main(void)\n{\n    return 42;\n}\n' >stages/hello.c
    printf 'int other(void);\nint other(void)\n{\n    return 1;\n}\n' >common/base/error.c
    touch common/device/onednn.c
    printf '#error none\n' >new/oneapi/dnnl/dnnl_version.h
    mk() {
        env -i PATH="$PATH" HOME="$HOME" CPATH="$PWD/new" make --no-print-directory CUDA=0 LDLIBS= "$@"
    }
    run -0 mk
    assert_line "onednn: oneDNN is left out: oneDNN is not installed (Debian: apt-get install libdnnl-dev)"
    run -42 bin/hello
    [ ! -e bin/onebox-onednn.so ]
    run -0 mk
    assert_output "make: Nothing to be done for 'all'."
    # a start of make with nothing to do asks the compiler where things are, no more: it was 0.2 s once
    printf '#!/bin/sh\necho "$@" >>%q/asked\nexec gcc "$@"\n' "$PWD" >cc
    chmod +x cc
    run -0 mk CC="$PWD/cc"
    rm asked
    run -0 mk CC="$PWD/cc"
    assert_output "make: Nothing to be done for 'all'."
    run -0 sort -u asked
    assert_output $'-dumpmachine\n-print-file-name=libdnnl.so'
    run -2 mk ONEDNN=1 BUILD=build/1 BIN=build/1/bin
    assert_line "onednn: ONEDNN=1 asks for it: stopping"
    touch bin/onebox-onednn.so
    run -0 mk ONEDNN=0
    assert_line "onednn: oneDNN is left out: ONEDNN=0"
    [ ! -e bin/onebox-onednn.so ]
}
