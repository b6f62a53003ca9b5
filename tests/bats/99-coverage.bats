# Which lines ran: what tests/lib/coverage, the end of `make coverage`, says of a small tree.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup() {
    command -v gcov-dump >/dev/null || skip "gcov-dump is not installed (it comes with gcc)"
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir -p tests/lib common/room build/common/room
    cp "$BATS_TEST_DIRNAME/../lib/coverage" tests/lib
    printf '%s\n' '#include <signal.h>' '#include <stdlib.h>' 'int main(int count, char **words)' '{' \
        '    if (count > 1)' '        raise(atoi(words[1]));' '    return 0;' '}' >common/room/a.c
    printf 'int never(void)\n{\n    return 1;\n}\n' >common/room/b.c
    for name in a b; do
        gcc --coverage -c "$PWD/common/room/$name.c" -o "$PWD/build/common/room/$name.o"
    done
    gcc --coverage build/common/room/?.o -o a
}

@test "the lines that ran are counted for each folder and in total; too few are a failure" {
    ./a
    run -0 tests/lib/coverage report build 50
    assert_line --regexp '^room +3 of +6 lines ran +50\.0 %$'
    assert_line --regexp '^common/ +3 of +6 lines ran +50\.0 %$'
    assert_line --regexp '^ +2 +0\.0 % +common/room/b\.c$'
    run -1 tests/lib/coverage report build 51
    assert_line 'coverage: less than 51 % of the lines of common/ ran'
}

@test "a program that is killed loses its own counts only" {
    ./a
    ./a 9 || true
    run -0 tests/lib/coverage report build 50
    ./a 0 # adds the line of raise()
    run -0 tests/lib/coverage report build 66
}

@test "counts that were damaged are brought back" {
    ./a
    tests/lib/coverage keep build
    truncate -s 20 build/common/room/a.gcda
    run -0 tests/lib/coverage keep build
    assert_output '# coverage: common/room/a.gcda was damaged; the counts of this test are lost'
    : >build/common/room/a.gcda
    run -0 tests/lib/coverage keep build
    assert_output --partial 'a.gcda was damaged'
    run -0 tests/lib/coverage report build 50
}

@test "nothing counted is a failure" {
    rm build/common/room/*.gcno
    run -1 tests/lib/coverage report build 1
    assert_output 'coverage: nothing was counted'
}
