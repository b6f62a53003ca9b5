# Every reader is fed by libFuzzer for some seconds, where clang is there; `make fuzz TIME=60` does it for longer.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

@test "no reader crashes, leaks or waits within some seconds of libFuzzer" {
    [ -z "${ASAN:-}${COVERAGE:-}" ] || skip "make check does it"
    command -v clang >/dev/null || skip "clang is not installed"
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && !n; }' >"$BATS_TEST_TMPDIR/x.c"
    clang -fsanitize=fuzzer "$BATS_TEST_TMPDIR/x.c" -o "$BATS_TEST_TMPDIR/x" 2>/dev/null ||
        skip "clang has no libFuzzer here"
    run make --no-print-directory BUILD="$(dirname "$HELPERS")" BIN="$BIN" CUDA=0 ONEDNN=0 fuzz TIME="${FUZZ_TIME:-5}"
    assert_success
    assert_line --regexp '^recipe +[1-9][0-9]+ executions, coverage [1-9]'
    assert_line --regexp '^picture +[1-9][0-9]+ executions, coverage [1-9]'
}
