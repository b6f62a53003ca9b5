# The sources' form, and both compilers without a warning, as far as the tools are installed; `make lint` asks for all.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
}

need() {
    command -v "$1" >/dev/null || skip "$1 is not installed (make lint needs it)"
}

list() { # sources|shells: the files that `make lint` looks at, one a line
    env -i PATH="$PATH" make -s CUDA=0 "print-$1"
}

syntax() { # COMPILER: every C file, without writing objects
    list sources | grep '\.c$' | grep -v '_avx512\|_avx2\|_neon\|_amx\|_bf16' |
        xargs -P 2 -n 8 "$1" -D_GNU_SOURCE -Icommon -Itests/cuda-standin -Itests/cuda-standin/include -std=gnu11 -O1 \
            -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fopenmp -fsyntax-only -DDEVICE_BUILD='""'
}

@test "sources are formatted" {
    need clang-format
    list sources | xargs clang-format --dry-run -Werror
}

@test "shell scripts pass shellcheck" {
    need shellcheck
    list shells | xargs shellcheck
}

@test "the lists of make lint name every source and every script" {
    list sources | sort >"$BATS_TEST_TMPDIR/listed"
    list shells | sort >>"$BATS_TEST_TMPDIR/listed"
    git rev-parse >/dev/null 2>&1 || skip "this is not a checkout of git"
    run grep -vxF -f "$BATS_TEST_TMPDIR/listed" <(git ls-files '*.[ch]' '*.cu' '*.bats' '*.bash' &&
        git grep -lE '^#!.*(bash|bin/sh)' -- scripts tests .ci)
    assert_output ""
}

@test "gcc has nothing to warn of" {
    need gcc
    syntax gcc
}

@test "clang has nothing to warn of" {
    need clang
    syntax clang
}

@test "stages are short: options, calls, exit code" {
    for file in stages/*.c; do
        count=$(wc -l <"$file")
        echo "$file: $count lines"
        [ "$count" -le 80 ]
    done
}
