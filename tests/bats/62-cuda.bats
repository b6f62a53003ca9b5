#!/usr/bin/env bats
# The GPU device over the stand-in for CUDA, cuDNN and cuBLAS (tests/cuda-standin): the same sources as on a GPU.
# shellcheck disable=SC2154 # shapes and stderr are set by shapes.bash and bats

load ../lib/shapes.bash

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    [ -n "${UNITS-}" ] || skip 'UNITS names no unit tests, and the stand-in lies beside them'
    units=$(cd "$(dirname "${UNITS%% *}")" && pwd)
    export ONEBOX_CUDA_LIBRARY=$units/standin/onebox-cuda.so
    unset STANDIN_DEVICES STANDIN_DRIVER STANDIN_MEMORY STANDIN_ORDER STANDIN_FAIL STANDIN_FAIL_WITH STANDIN_CALLS
}

# In a folder of the test's own, for what programs write.
away() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

# A short training that ends near the same loss whatever rounds how: small rates.
short() {
    local device=$1
    shift
    train detn --weights none --device "$device" --precision fp32 --set phase.all.lr=2e-4 "$@"
}

# near TOLERANCE A B: the numbers of two lists, each relative to its size
near() {
    awk -v t="$1" -v a="$2" -v b="$3" 'BEGIN {
        n = split(a, x, /[ \n]+/)
        if (n == 0 || split(b, y, /[ \n]+/) != n) exit 1
        for (i = 1; i <= n; i++) {
            d = x[i] - y[i]; d = d < 0 ? -d : d
            s = x[i] < 0 ? -x[i] : x[i]
            if (!(d <= t * s)) { print x[i], "and", y[i]; exit 1 }
        }
    }'
}

# fails_well PROGRAM: the last `run --separate-stderr` ended with exit 4 and one line on the GPU, no leak, nothing
# half made.
fails_well() {
    assert_failure 4
    assert_regex "${stderr_lines[-1]}" "^$1: cuda: "
    run ! grep -e standin: -e Sanitizer <<<"$stderr"
    assert_equal "$(find . -name '*.tmp*')" ""
}

for_precision() { # NAME: every node and many shapes
    run "$units/test_device" cuda "$1"
    assert_success
    refute_output --partial 'not ok'
}

@test "every node and many shapes agree with the reference in fp32" {
    for_precision fp32
}

@test "every node and many shapes agree with the reference in tf32, within its rounding" {
    for_precision tf32
}

@test "every node and many shapes agree with the reference in bf16, within its rounding" {
    for_precision bf16
}

@test "every node and many shapes agree with the reference in fp16, within its rounding" {
    for_precision fp16
}

@test "whole networks compute and train ten steps as PyTorch does" {
    run "$units/test_network" cuda
    assert_success
    refute_output --partial 'not ok'
}

@test "the programs need no CUDA library" {
    for program in "$BIN"/*; do
        case $program in *.so | */onebox) continue ;; esac # a library, a script
        run -0 ldd "$program"
        refute_output --regexp 'cudart|cudnn|cublas|libcuda|nvrtc'
    done
}

@test "--version tells the GPU that was found" {
    run -0 "$BIN/train-detn" --version
    assert_output --regexp 'cuda.*stand-in'
}

@test "a training on the GPU ends with the losses of the CPU" {
    away
    short cpu -o cpu.ckpt
    short cuda -o cuda.ckpt
    for name in trn_loss val_loss; do
        near 1e-4 "$(column cpu.history.tsv $name)" "$(column cuda.history.tsv $name)"
    done
    near 5e-4 "$(column cpu.batches.tsv loss)" "$(column cuda.batches.tsv loss)"
    "$BIN/train-detn" --check cuda.ckpt
}

@test "classifier and box regressor train on the GPU as well, and lr-find runs" {
    away
    for task in cls bbox; do
        for device in cpu cuda; do
            train $task --weights none --device $device --precision fp32 --epochs 1 --set phase.all.lr=2e-4 \
                -o $device.ckpt
        done
        near 1e-4 "$(column cpu.history.tsv val_loss)" "$(column cuda.history.tsv val_loss)"
    done
    for device in cpu cuda; do
        train detn --weights none --device $device --precision fp32 --lr-find $device.tsv --lr-end 1e-2
    done
    near 1e-3 "$(column cpu.tsv loss)" "$(column cuda.tsv loss)"
}

@test "a training goes on from the other device's checkpoint" {
    away
    train detn --weights none --device cpu --until head -o cpu.ckpt
    train detn --weights none --device cuda --until head --precision fp32 -o cuda.ckpt
    for first in cpu cuda; do
        for second in cpu cuda; do
            train detn --init $first.ckpt --device $second --precision fp32 --epochs 1 --set phase.head.lr=1e-3 \
                --set phase.all.lr=2e-4 \
                -o $first-$second.ckpt
        done
        near 1e-4 "$(column $first-cpu.history.tsv val_loss)" "$(column $first-cuda.history.tsv val_loss)"
    done
}

@test "predictions on the GPU are those of the CPU" {
    away
    train detn --weights none --epochs 1 --device cpu -o detn.ckpt
    for device in cpu cuda; do
        "$BIN/predict" --ckpt detn.ckpt --cache "$BATS_FILE_TMPDIR/shapes.cache" --device $device --precision fp32 \
            --frame 64 -o $device.tsv
    done
    cmp <(cut -f 1,2 cpu.tsv) <(cut -f 1,2 cuda.tsv)
    for k in 4 5 6 7; do
        paste <(cut -f $k cpu.tsv) <(cut -f $k cuda.tsv) |
            awk 'NR > 1 { d = $1 - $2; if (d < -0.02 || d > 0.02) exit 1 }'
    done
}

@test "the same seed gives the same bytes, in tf32, bf16 and fp16, whatever order the GPU's work takes" {
    away
    for precision in tf32 bf16 fp16; do
        train detn --weights none --epochs 1 --device cuda --precision $precision -o a.ckpt
        STANDIN_ORDER=eager train detn --weights none --epochs 1 --device cuda --precision $precision -o b.ckpt
        STANDIN_ORDER=random:7 train detn --weights none --epochs 1 --device cuda --precision $precision -o c.ckpt
        cmp a.ckpt b.ckpt
        cmp a.ckpt c.ckpt
    done
}

@test "a training that a failing call ends: one line, exit 4, no leak, nothing half made" {
    away
    STANDIN_CALLS=in.calls train detn --weights none --epochs 1 --device cuda -o x.ckpt
    read -r _ calls _ work _ leaks _ <in.calls
    assert_equal "$leaks" 0
    assert [ "$calls" -gt 500 ]
    rm -f x.*
    for part in 0 1 3 6 10 15 25 40 60 80 95; do
        for with in '' cudaErrorIllegalAddress; do
            export STANDIN_FAIL=$((calls * part / 100 + 1)) STANDIN_FAIL_WITH=$with
            rm -f x.* # also the state of the one before, from which this one would go on
            run --separate-stderr train detn --weights none --epochs 1 --device cuda -o x.ckpt
            fails_well train-detn
            refute [ -e x.ckpt ]
        done
    done
    unset STANDIN_FAIL_WITH
    for part in 5 50 90; do
        rm -f x.*
        STANDIN_FAIL=work:$((work * part / 100 + 1)) run --separate-stderr train detn --weights none --epochs 1 \
            --device cuda -o x.ckpt
        fails_well train-detn
    done
}

@test "so ends a prediction" {
    away
    train detn --weights none --epochs 1 --device cpu -o detn.ckpt
    predict() {
        "$BIN/predict" --ckpt detn.ckpt --cache "$BATS_FILE_TMPDIR/shapes.cache" --device cuda -o x.tsv
    }
    STANDIN_CALLS=in.calls predict
    read -r _ calls _ <in.calls
    rm x.tsv
    for part in 0 10 30 60 90; do
        STANDIN_FAIL=$((calls * part / 100 + 1)) run --separate-stderr predict
        fails_well predict
        refute [ -e x.tsv ]
    done
}

@test "too little memory: the batch that fits is named, and fits" {
    away
    for batch in 4 16; do
        STANDIN_CALLS=in.calls train detn --weights none --epochs 1 --device cuda --set batch=$batch -o x.ckpt
        read -r _ _ _ _ _ _ _ peak[$batch] <in.calls
    done
    rm x.*
    export STANDIN_MEMORY=$(((peak[4] + peak[16]) / 2))
    run --separate-stderr train detn --weights none --epochs 1 --device cuda -o x.ckpt
    fails_well train-detn
    assert_regex "${stderr_lines[-1]}" 'a batch of about [0-9]+ would fit'
    # the place that the message names is that of the call
    [[ ${stderr_lines[-1]} =~ cudaMalloc.*\ at\ ([a-z_]+\.c):([0-9]+) ]]
    run -0 sed -n "${BASH_REMATCH[2]}p" "$BATS_TEST_DIRNAME/../../common/device/${BASH_REMATCH[1]}"
    assert_output --partial 'cudaMalloc('
    batch=$(grep -o 'about [0-9]*' <<<"${stderr_lines[-1]}" | tr -dc 0-9)
    assert [ "$batch" -ge 4 ]
    run --separate-stderr train detn --weights none --epochs 1 --device cuda --set batch="$batch" -o x.ckpt
    assert_success
}

@test "without a GPU --device cuda says so, and auto takes the CPU and says why" {
    away
    STANDIN_DEVICES=0 run --separate-stderr train detn --weights none --epochs 1 --device cuda -o x.ckpt
    fails_well train-detn
    assert_regex "${stderr_lines[-1]}" 'no GPU is visible'
    STANDIN_DRIVER=12040 run --separate-stderr train detn --weights none --epochs 1 --device cuda -o x.ckpt
    fails_well train-detn
    assert_regex "${stderr_lines[-1]}" 'driver'
    STANDIN_DEVICES=0 run --separate-stderr train detn --weights none --until head --device auto -o x.ckpt
    assert_success
    assert_regex "$stderr" 'no GPU is used: .*no CUDA-capable device'
    assert_regex "$stderr" 'on cpu: '
    run --separate-stderr train detn --weights none --until head --device auto -o x.ckpt
    assert_success
    assert_regex "$stderr" 'on cuda:0: stand-in'
    run --separate-stderr train detn --weights none --device cuda:1 -o y.ckpt
    fails_well train-detn
    assert_regex "${stderr_lines[-1]}" 'no GPU number 1'
}

@test "a library that is missing, no library, or of another build is refused" {
    away
    for device in cuda cuda:0; do
        ONEBOX_CUDA_LIBRARY=nowhere.so run --separate-stderr train detn --weights none --device $device -o x.ckpt
        assert_failure 4
        assert_regex "${stderr_lines[-1]}" '^train-detn: .*nowhere.so'
    done
    echo text >in.so
    ONEBOX_CUDA_LIBRARY=$PWD/in.so run --separate-stderr train detn --weights none --device cuda -o x.ckpt
    assert_failure 4
    assert_regex "${stderr_lines[-1]}" '^train-detn: .*in.so'
    ONEBOX_CUDA_LIBRARY=/usr/lib/x86_64-linux-gnu/libm.so.6 run --separate-stderr train detn --weights none \
        --device cuda -o x.ckpt
    assert_failure 4
    assert_regex "${stderr_lines[-1]}" 'another build'
}

@test "a library made of other sources is refused, if only by a line" {
    away
    cp -r "$BATS_TEST_DIRNAME"/../../{Makefile,pipeline.mk,scripts,common} .
    mkdir tests
    cp -r "$BATS_TEST_DIRNAME/../cuda-standin" tests
    echo '/* another line */' >>common/device/cuda_run.c
    env -i PATH="$PATH" HOME="$HOME" make CUDA=0 CFLAGS=-O0 build/tests/standin/onebox-cuda.so >in.log
    export ONEBOX_CUDA_LIBRARY=$PWD/build/tests/standin/onebox-cuda.so
    run --separate-stderr train detn --weights none --device cuda -o x.ckpt
    assert_failure 4
    assert_regex "${stderr_lines[-1]}" \
        '^train-detn: .*/onebox-cuda.so belongs to another build of onebox: make and install again$'
}
