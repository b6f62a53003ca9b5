# Calls that fail: a full disk, an I/O error, too many open files, memory that is refused. tests/lib/faults lets them
# fail one by one and judges what is left; here a few of each kind for each program, `make faults` does all.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup_file() {
    [ -z "${ASAN:-}" ] || skip "a sanitizer has its own memory"
    [ -e "${HELPERS:-}/inject.so" ] || skip "build/tests/inject.so is not built (make check does it)"
    INJECT=write:0:EIO LD_PRELOAD="$HELPERS/inject.so" true 2>/dev/null || skip "no seccomp filter here"
}

faults() { # MOST PROGRAM…
    run "$BATS_TEST_DIRNAME/../lib/faults" "$BATS_FILE_TMPDIR" "$@"
    assert_success
    # calls of each kind were there to fail
    for kind in write sync rename open malloc; do
        assert_line --regexp ": [1-9][0-9]* x $kind:"
    done
}

@test "programs that do not notice, or leave half a file, are seen" {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir bin
    ln -s "$BIN"/* bin
    rm bin/largest
    for ending in '0 other outputs' '4 neither old nor new' '3 exit 3' '4 tmp.1 is left'; do
        {
            echo '#!/bin/sh'
            # shellcheck disable=SC2016 # for the script
            echo 'case $INJECT in *:0:*) echo 2 >>"$INJECT_COUNT" ;; ?*)'
            case $ending in *left) echo 'echo x >out/largest.tsv.tmp.1' ;; *) echo 'echo half >out/largest.tsv' ;; esac
            echo "echo largest: failed >&2; exit ${ending%% *} ;; esac; exec '$BIN/largest' \"\$@\""
        } >bin/largest
        chmod +x bin/largest
        BIN=bin run "$BATS_TEST_DIRNAME/../lib/faults" "$BATS_FILE_TMPDIR" 1 largest
        assert_failure
        assert_line --regexp "largest write:1:EIO: .*${ending#* }"
    done
}

@test "readers and writers of tables end with 4 or as if nothing had been, and leave nothing" {
    faults 6 voc2json json2anno largest mkcsv evaluate
}

@test "so do programs with pictures" {
    faults 5 draw-set resize-cache render report
}

@test "so do those with networks" {
    faults 3 import-weights predict train-objects
    faults 1 train-cls train-bbox train-detn
}

@test "a signal between the files of one run waits until the last of them is in place" {
    cd "$BATS_TEST_TMPDIR" || return 1
    "$BIN/draw-set" --pictures 30 --size 48 -o set
    "$BIN/voc2json" -o set.json set
    "$BIN/json2anno" -o - set.json | "$BIN/largest" -o largest.tsv -
    head -n 20 largest.tsv >fewer.tsv
    "$BIN/mkcsv" --lrg whole.lrg --bb whole.bb --val whole.val largest.tsv
    local at
    for at in 1 2 3; do
        "$BIN/mkcsv" --lrg lrg --bb bb --val val fewer.tsv
        INJECT=rename:$at:TERM LD_PRELOAD="$HELPERS/inject.so" run -143 "$BIN/mkcsv" --lrg lrg --bb bb --val val \
            largest.tsv
        for file in lrg bb val; do cmp $file whole.$file; done
    done
    INJECT=sync:3:TERM LD_PRELOAD="$HELPERS/inject.so" run -143 "$BIN/mkcsv" --lrg lrg --bb bb --val val fewer.tsv
    for file in lrg bb val; do cmp $file whole.$file; done # none of them is new
    run compgen -G '*.tmp.*'
    assert_failure
}

@test "killed at random moments, every program leaves whole outputs, and the next run nothing else" {
    [ -z "${COVERAGE:-}" ] || skip "gcov writes for longer than most programs run"
    # shellcheck source=tests/lib/every-program.bash
    . "$BATS_TEST_DIRNAME/../lib/every-program.bash"
    run "$BATS_TEST_DIRNAME/../lib/storm" "$BATS_FILE_TMPDIR/storm" 6 $RANDOM "${programs[@]}"
    assert_success
    assert_line --regexp '^train-objects: killed 6 times'
    # a program that leaves half a file is seen
    mkdir "$BATS_TEST_TMPDIR/bin"
    ln -s "$BIN"/* "$BATS_TEST_TMPDIR/bin"
    rm "$BATS_TEST_TMPDIR/bin/largest"
    printf '#!/bin/sh\nset -e\necho half >out/largest.tsv\nsleep 0.1\nexec "%s/largest" "$@"\n' "$BIN" \
        >"$BATS_TEST_TMPDIR/bin/largest"
    chmod +x "$BATS_TEST_TMPDIR/bin/largest"
    BIN=$BATS_TEST_TMPDIR/bin run "$BATS_TEST_DIRNAME/../lib/storm" "$BATS_FILE_TMPDIR/storm" 6 5 largest
    assert_failure
    assert_line --partial "largest.tsv is not whole"
}

@test "make is killed, whole or in part, with another one beside it: the next one ends with the undisturbed bytes" {
    [ -z "${COVERAGE:-}" ] || skip "gcov writes for longer than most programs run"
    run "$BATS_TEST_DIRNAME/../lib/storm" "$BATS_FILE_TMPDIR/storm" 4 $RANDOM make
    assert_success
    assert_line --regexp '^make: killed 4 times'
}

@test "two programs that have the same number, each in a container, write one file: it is one of theirs" {
    unshare --user --map-root-user --pid --fork true || skip "no namespaces of users here"
    run "$BATS_TEST_DIRNAME/../lib/storm" "$BATS_FILE_TMPDIR/storm" 4 1 pairs
    assert_success
    assert_line --regexp '^pairs: 64.cache written by two at once 4 times'
    # one that takes its number for a name of its own is seen
    mkdir "$BATS_TEST_TMPDIR/bin"
    ln -s "$BIN"/* "$BATS_TEST_TMPDIR/bin"
    rm "$BATS_TEST_TMPDIR/bin/json2anno"
    # shellcheck disable=SC2016 # for that script
    printf '#!/bin/bash\n"%s/json2anno" "${@:1:$#-1}" "${!#}.$$" && sleep 0.05 && mv "${!#}.$$" "${!#}"\n' "$BIN" \
        >"$BATS_TEST_TMPDIR/bin/json2anno"
    chmod +x "$BATS_TEST_TMPDIR/bin/json2anno"
    BIN=$BATS_TEST_TMPDIR/bin run "$BATS_TEST_DIRNAME/../lib/storm" "$BATS_FILE_TMPDIR/storm" 4 1 pairs
    assert_failure
    assert_line --regexp 'pairs: anno.tsv .the (one|other).: .*No such file'
}
