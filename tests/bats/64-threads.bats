#!/usr/bin/env bats
# How many threads run, and how they wait: what the machine and its user allow, without a word to the programs.
# shellcheck disable=SC2154 # shapes is set by shapes.bash

load ../lib/shapes.bash

# threads_of COMMAND…: the number of threads that --version of a training names.
threads_of() {
    "$@" "$BIN/train-cls" --version | sed -n -E 's/^devices: cpu \(.*, ([0-9]+) threads?,.*/\1/p'
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
        unshare -rm sh -c 'mount --bind in.root/cgroup /sys/fs/cgroup && mount --bind in.root/proc/cgroup /proc/$$/cgroup &&
            exec "$@"' sh "$@"
    }
    inside true 2>/dev/null || skip "no mount namespace here"
    assert_equal "$(threads_of inside)" 1
}

@test "--threads above OMP_THREAD_LIMIT: the team is as large as the limit, and what it computes is the same" {
    train detn --weights none --epochs 1 --threads 1 -o one.ckpt 2>one.log
    OMP_THREAD_LIMIT=1 timeout 120 "$BIN/train-detn" --cache "$BATS_FILE_TMPDIR/shapes.cache" --val "$shapes/val.txt" \
        --lrg "$shapes/lrg.csv" --bb "$shapes/bb.csv" --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --weights none --epochs 1 \
        --threads 4 -o limited.ckpt 2>limited.log
    cmp one.ckpt limited.ckpt
    grep -q ' 1 thread,' limited.log
}
