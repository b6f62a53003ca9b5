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

syntax() { # COMPILER: every C file, without writing objects
    printf '%s\n' common/*/*.c stages/*.c tests/unit/*.c tests/lib/*.c tests/cuda-standin/*.c | grep -v '_avx512\|_avx2\|_amx\|_bf16' |
        xargs -P 2 -n 8 "$1" -D_GNU_SOURCE -Icommon -Itests/cuda-standin -Itests/cuda-standin/include -std=gnu11 -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
            -fopenmp -fsyntax-only -DDEVICE_BUILD='""'
}

@test "sources are formatted" {
    need clang-format
    clang-format --dry-run -Werror common/*/*.[ch] stages/*.c tests/unit/*.[ch] tests/lib/*.c tests/cuda-standin/*.[ch] tests/cuda-standin/include/*.h
}

@test "shell scripts pass shellcheck" {
    need shellcheck
    shellcheck .ci/run scripts/checksum scripts/completion.bash scripts/data scripts/demo scripts/deps scripts/onebox scripts/params-diff scripts/stage scripts/status tests/run \
        tests/lib/standin tests/lib/*.bash tests/bats/*.bats
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
        [ "$count" -le 120 ]
    done
}
