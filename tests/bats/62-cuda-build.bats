#!/usr/bin/env bats
# How the build finds CUDA and cuDNN, with toolkits made of empty files; and what it made of the real ones, where
# they are.
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    cd "$BATS_TEST_TMPDIR" || return 1
    unset CUDA CUDA_HOME CUDNN_HOME ONEBOX_CUDA_LIBRARY
}

# toolkit DIR [WITHOUT…]: a toolkit for CUDA, but for the files named.
toolkit() {
    local dir=$1 file
    shift
    mkdir -p "$dir/bin" "$dir/include" "$dir/lib64"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ "$1" != --list-gpu-code ] || printf "sm_52\\nsm_75\\nsm_90\\nsm_90a\\nsm_121\\nsm_103\\n"\n' \
        >"$dir/bin/nvcc"
    chmod +x "$dir/bin/nvcc"
    touch "$dir"/include/{cuda_runtime,cublas_v2,cudnn}.h "$dir"/lib64/lib{cudart,cublas,cudnn}.so
    echo '#define CUDNN_MAJOR 9' >"$dir/include/cudnn_version.h"
    for file; do rm "$dir/$file"; done
}

# The script, blind for what this machine has installed in the usual folders.
blind() { # FILE
    sed '2,$ { s|/usr/local/cuda[^ ]*||g; s|/opt/cuda[^ ]*||g; s|/usr/[a-z/_0-9-]*/*||g; }' "$root/scripts/cuda" >"$1"
    chmod +x "$1"
}
probe() {
    blind probe
    bash probe "$@"
}

# A project of one program, with a GPU device to leave out.
project() {
    mkdir -p common/base common/device stages tests/unit recipes
    cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" .
    blind scripts/cuda
    printf 'int main(void)\n{\n    return 42;\n}\n' >stages/hello.c
    printf 'int other(void);\nint other(void)\n{\n    return 1;\n}\n' >common/base/other.c
    touch common/device/kernels.cu
}
mk() {
    env -i PATH="$PATH" HOME="$HOME" make --no-print-directory LDLIBS= "$@"
}

@test "CUDA_HOME, the PATH and CUDNN_HOME say where CUDA and cuDNN are" {
    toolkit cuda
    CUDA_HOME=$PWD/cuda run -0 probe --probe
    assert_output "yes $PWD/cuda/bin/nvcc $PWD/cuda/include $PWD/cuda/lib64"
    PATH=$PWD/cuda/bin:$PATH run -0 probe --probe
    assert_output "yes $PWD/cuda/bin/nvcc $PWD/cuda/include $PWD/cuda/lib64"
    toolkit dnn
    rm cuda/include/cudnn.h cuda/lib64/libcudnn.so
    CUDA_HOME=$PWD/cuda CUDNN_HOME=$PWD/dnn run -0 probe --probe
    assert_output "yes $PWD/cuda/bin/nvcc $PWD/cuda/include:$PWD/dnn/include $PWD/cuda/lib64:$PWD/dnn/lib64"
}

@test "half an installation gives one line that names what is missing" {
    toolkit cuda include/cudnn.h
    CUDA_HOME=$PWD/cuda run -0 probe --probe
    assert_output --regexp "^no .*/cuda/bin/nvcc is there, but not cudnn.h \(cuDNN 9: .*"
    assert_equal "${#lines[@]}" 1
    rm cuda/lib64/libcudnn.so cuda/include/cublas_v2.h
    CUDA_HOME=$PWD/cuda run -0 probe --probe
    assert_output --partial "but not cublas_v2.h cudnn.h libcudnn.so"
    CUDA_HOME=$PWD/nowhere run -0 probe --probe
    assert_output "no CUDA_HOME=$PWD/nowhere has no bin/nvcc"
    toolkit old
    echo '#define CUDNN_MAJOR 8' >old/include/cudnn_version.h
    CUDA_HOME=$PWD/old run -0 probe --probe
    assert_output --partial "no cuDNN 8 is installed"
}

@test "kernels are made for every architecture from sm_75 on, with PTX for newer ones than the newest" {
    toolkit cuda
    run -0 probe --codes cuda/bin/nvcc
    assert_output "-gencode arch=compute_75,code=sm_75 -gencode arch=compute_90,code=sm_90\
 -gencode arch=compute_121,code=sm_121 -gencode arch=compute_103,code=sm_103\
 -gencode arch=compute_121,code=compute_121"
}

@test "CUDA=auto goes on without half an installation and says so once, CUDA=1 stops, CUDA=0 does not look" {
    toolkit cuda include/cudnn.h
    project
    run -0 mk CUDA_HOME="$PWD/cuda"
    assert_line --regexp "^cuda: the GPU device is left out: .*/cuda/bin/nvcc is there, but not cudnn.h"
    run -42 bin/hello
    run -0 mk CUDA_HOME="$PWD/cuda"
    assert_output "make: Nothing to be done for 'all'."
    for build in build/1 build/1 build; do # a folder that was built without it stops as well
        run -2 mk CUDA=1 BUILD=$build BIN=build/1/bin CUDA_HOME="$PWD/cuda"
        assert_line "cuda: CUDA=1 asks for it: stopping"
    done
    run -0 mk CUDA=0 BUILD=build/0 BIN=build/0/bin
    refute_output --partial cuda
}

@test "the programs need no CUDA library" {
    for program in train-detn predict; do
        run -0 ldd "$BIN/$program"
        refute_output --regexp "cuda|cudnn|cublas|nvidia"
    done
}

@test "where CUDA and cuDNN are, the GPU device is compiled, linked and opened; it has one symbol" {
    found=$("$root/scripts/cuda" --probe)
    [[ $found == yes* ]] || skip "the GPU device is not built: ${found#no }"
    [ -e "$BIN/onebox-cuda.so" ] || skip "built with CUDA=0"
    # the sanitizer marks each symbol with one of its own
    run -0 bash -c "nm -D --defined-only '$BIN/onebox-cuda.so' | grep -v __odr_asan"
    assert_output --regexp "^[0-9a-f]+ . onebox_cuda_device$"
    ONEBOX_CUDA_LIBRARY=$BIN/onebox-cuda.so run -0 "$BIN/train-detn" --version
    assert_line --regexp "^CUDA [0-9.]+, cuDNN 9[0-9.]+$"
    assert_line --regexp "^devices: (no cuda \(cuda: no GPU driver is installed here|cuda:0)"
}

@test "without the GPU device, auto takes the processor and cuda is refused in one line" {
    ONEBOX_CUDA_LIBRARY=$PWD/nowhere.so run -0 "$BIN/train-detn" --version
    assert_line "devices: no cuda (ONEBOX_CUDA_LIBRARY names no file: $PWD/nowhere.so)"
    echo 'no library' >broken.so
    touch picture.png
    ONEBOX_CUDA_LIBRARY=$PWD/broken.so run -0 "$BIN/train-detn" --version
    assert_line --partial "devices: no cuda (the GPU device cannot be loaded: $PWD/broken.so: "
}

# What ptxas says of one kernel: bytes of stack, spilled and loaded again, registers, bytes of shared memory.
fake_nvcc() {
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ "$1" != --list-gpu-code ] || exec echo sm_90\ncat >&2 <<E\n%s\n%s\n%s\n%s\nE\n' \
        "ptxas info    : Compiling entry function '_Z5halve4args' for 'sm_90'" \
        'ptxas info    : Function properties for _Z5halve4args' \
        "    $1 bytes stack frame, $2 bytes spill stores, $3 bytes spill loads" \
        "ptxas info    : Used $4 registers, used 1 barriers, $5 bytes smem" >nvcc
    chmod +x nvcc
}

@test "occupancy: registers, blocks and shared memory limit it; a spill or a stack is exit status 1" {
    export NVCC=$PWD/nvcc
    fake_nvcc 0 0 0 32 0
    run -0 "$root/tests/bench/occupancy" --kernels 90
    assert_line --index 0 "sm_90 halve 32 0 0 0 100"
    fake_nvcc 0 0 0 33 0 # 40 are taken: 6 blocks of 256 threads
    run -0 "$root/tests/bench/occupancy" --kernels 90
    assert_line --index 0 "sm_90 halve 33 0 0 0 75"
    fake_nvcc 0 0 0 32 65536
    run -0 "$root/tests/bench/occupancy" --kernels 90
    assert_line --index 0 "sm_90 halve 32 0 0 65536 37.5"
    fake_nvcc 16 8 4 255 0
    run -1 "$root/tests/bench/occupancy" --kernels 90
    assert_line --index 0 "sm_90 halve 255 16 12 0 12.5"
    fake_nvcc 8 0 0 32 0
    run -1 "$root/tests/bench/occupancy"
    assert_line --regexp '^sm_90 +3 +32 to 32 halve +0 +24 +0 +100 %$'
}

@test "no kernel spills registers, or keeps an array in each thread's own memory" {
    found=$("$root/scripts/cuda" --probe)
    [[ $found == yes* ]] || skip "nvcc is needed: ${found#no }"
    [ -z "${ASAN:-}" ] || skip "make check looks at them"
    run -0 "$root/tests/bench/occupancy" 75 90
    assert_line --regexp '^sm_75 +[0-9]+ .* 0 +0 +0 +[0-9]+'
    assert_line --regexp '^sm_90 +[0-9]+ .* 0 +0 +0 +[0-9]+'
}
