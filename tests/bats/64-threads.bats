#!/usr/bin/env bats
# How many threads run, and how they wait: what the machine and its user allow, without a word to the programs.

load ../lib/shapes.bash

# threads_of COMMAND…: the number of threads that --version of a training names.
threads_of() {
    "$@" "$BIN/train-cls" --version | sed -n -E 's/^devices: cpu \(.*, ([0-9]+) threads?,.*/\1/p'
}

# openmp VARIABLE…: what the OpenMP library says about itself as a training starts.
openmp() {
    run env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT -u KMP_BLOCKTIME OMP_DISPLAY_ENV=verbose "$@" "$BIN/train-cls" \
        --version
    assert_success
}

@test "waiting threads sleep without a setting" {
    openmp
    assert_output --regexp "GOMP_SPINCOUNT = '2000'|KMP_BLOCKTIME='0'"
    assert_output --regexp "OMP_WAIT_POLICY ?= ?'PASSIVE'"
}

@test "what the user says of waiting stays" {
    openmp OMP_WAIT_POLICY=active
    assert_output --regexp "OMP_WAIT_POLICY ?= ?'ACTIVE'"
    refute_output --regexp "GOMP_SPINCOUNT = '2000'|KMP_BLOCKTIME='0'"
    openmp GOMP_SPINCOUNT=12345 KMP_BLOCKTIME=123
    assert_output --regexp "GOMP_SPINCOUNT = '12345'|KMP_BLOCKTIME='123'"
}

@test "a program keeps its name, its arguments and its exit code" {
    cp "$BIN/train-cls" in.renamed
    run env -u OMP_WAIT_POLICY ./in.renamed --epochs "a  b"
    assert_failure 2
    assert_line --index 0 --partial "a  b"
    run env -u OMP_WAIT_POLICY "$(ldd "$BIN/train-cls" | grep -o '/[^ ]*/ld-[^ ]*')" "$BIN/train-cls" --version
    assert_success
    assert_line --index 0 --partial "train-cls (onebox)"
}

@test "the default number of threads is that of the processors allowed, and never above OMP_THREAD_LIMIT" {
    first=$(taskset -cp $$ | grep -o '[0-9]*' | tail -n +2 | head -n 1)
    assert_equal "$(threads_of taskset -c "${first:-0}")" 1
    assert_equal "$(threads_of env OMP_THREAD_LIMIT=1)" 1
    assert_equal "$(threads_of env OMP_THREAD_LIMIT=1000)" "$(threads_of env)"
    assert_equal "$(threads_of env OMP_THREAD_LIMIT=none)" "$(threads_of env)"
}

@test "a quota of the cgroup lowers the default number of threads" {
    mkdir -p in.root/proc in.root/cgroup/cpu
    echo '0::/' >in.root/proc/cgroup
    echo '50000 100000' >in.root/cgroup/cpu.max
    inside() { # COMMAND…: where the files above stand in for the kernel's
        # shellcheck disable=SC2016
        unshare -rm sh \
            -c 'mount --bind in.root/cgroup /sys/fs/cgroup && mount --bind in.root/proc/cgroup /proc/$$/cgroup &&
            exec "$@"' sh "$@"
    }
    inside true 2>/dev/null || skip "no mount namespace here"
    assert_equal "$(threads_of inside)" 1
}
