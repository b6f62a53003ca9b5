#!/usr/bin/env bats
# The stand-in for CUDA, cuDNN and cuBLAS against the vendor's headers, where these are installed.
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

setup() {
    standin=$BATS_TEST_DIRNAME/../cuda-standin
    includes=()
    for name in cuda_runtime.h cudnn.h cublas_v2.h; do
        for folder in ${CUDA_HOME:+"$CUDA_HOME/include"} /usr/local/cuda/include /usr/local/include /usr/include ''; do
            [ -n "$folder" ] || skip "the vendor's $name is not installed"
            [ ! -e "$folder/$name" ] || break
        done
        includes+=(-isystem "$folder")
    done
}

# Compiles standard input as C against the vendor's headers.
against_vendor() {
    gcc -D_GNU_SOURCE -std=gnu11 -fsyntax-only -I"$standin" "${includes[@]}" "$@"
}

@test "every function of the stand-in has the vendor's prototype" {
    for file in "$standin"/*.c; do
        run against_vendor "$file"
        assert_success
    done
}

@test "every constant of the stand-in's headers, and of tests that ask cuDNN itself, has the vendor's value" {
    file=$BATS_TEST_TMPDIR/values.c
    printf '#include <%s>\n' cuda_runtime.h cudnn.h cublas_v2.h >"$file"
    # "NAME = VALUE" in enums and "#define NAME VALUE" of flags
    cat "$standin"/include/*.h "$standin/../unit/cudnn_backend.h" | tr '{},' '\n' |
        sed -n -E \
            -e 's/^ *((CUDNN|CUBLAS|CUDA|cuda)[A-Za-z0-9_]*) = (-?[0-9]+) *$/_Static_assert((int)\1 == \3, "\1");/p' \
            -e 's/^#define (cuda[A-Za-z]+) (0x[0-9]+)$/_Static_assert(\1 == \2, "\1");/p' >>"$file"
    run grep -c _Static_assert "$file"
    assert [ "$output" -gt 100 ]
    run against_vendor "$file"
    assert_success
}

@test "the constants are compared at all: a wrong one is found" {
    printf '#include <cudnn.h>\n_Static_assert((int)CUDNN_DATA_HALF == 3, "CUDNN_DATA_HALF");\n' \
        >"$BATS_TEST_TMPDIR/wrong.c"
    run against_vendor "$BATS_TEST_TMPDIR/wrong.c"
    assert_failure
    assert_output --partial CUDNN_DATA_HALF
}
