# The form of the sources: how long files, functions and lines may be, and how a longer file begins; and that the manual
# page states the limits that they set.
# shellcheck disable=SC2016 # awk's $

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup() {
    cd "${FORM_ROOT:-$BATS_TEST_DIRNAME/../..}" || return 1
    export LC_ALL=C
}

# The files that are held to it: those of the checkout, or without git all but what make makes. tests/golden holds
# tables that programs made.
files() { # PATTERN of grep -E
    if git ls-files --error-unmatch Makefile >/dev/null 2>&1; then
        git ls-files
    else
        find . -type d \( -name .git -o -path ./bin -o -path ./build -o -path ./data -o -path ./out \) -prune \
            -o -type f -print | sed 's|^\./||' | sort
    fi |
        grep -E "$1" | grep -v '^tests/golden/'
}

sources='^(common/.*\.(c|h|cu|inc)|stages/.*\.c)$'
product='^(common/|stages/|scripts/|Makefile$|[^/]*\.mk$)'
tested='^tests/(bats|lib)/.*\.(bats|bash)$'
texts='\.(c|h|cu|inc|mk|awk|bats|bash)$|^(Makefile|scripts/[^/]*|tests/run)$'

each() { # PATTERN AWK-PROGRAM: the program over each file of that name
    files "$1" | tr '\n' '\0' | xargs -0r awk "$2"
}

long_files() {
    each "$product" 'FNR == 601 { print FILENAME ": more than 600 lines" }'
}

# A function begins in the line before its "{" in the first column (or some lines before, where its name begins in the
# first column) and ends at the "}" in the first column.
long_functions() {
    each "$sources" '
        FNR == 1 { begin = open = 0 }
        /^[A-Za-z_].*\(/ && !/;$/ { begin = FNR; name = $0; reason = before ~ /\/\* long: .+\*\// }
        /^\{/ { open = begin }
        /^\}/ && open && FNR - open >= 60 && !reason { print FILENAME ":" open ": " FNR - open + 1 " lines: " name }
        /^\}/ { open = 0 }
        { before = $0 }'
}

# A line has at most 120 characters; the bytes behind the first of a character are not counted. In documents that holds
# for prose: code blocks (fenced, or indented by four blanks), tables, and lines without a blank to break at (a link, a
# picture) may be longer.
long_lines() {
    each "$texts" '
        { text = $0; gsub(/[\200-\277]/, "", text) }
        length(text) > 120 { print FILENAME ":" FNR ": " length(text) " characters" }'
    each '\.md$' '
        FNR == 1 { code = 0 }
        /^ *```/ { code = !code; next }
        code || /^ *\|/ || /^    / || !/[^ ] +[^ ]/ { next }
        /^ *([-*>] )?!?\[[^]]*\]\([^)]*\)[.,;:]?$/ { next }
        { text = $0; gsub(/[\200-\277]/, "", text) }
        length(text) > 120 { print FILENAME ":" FNR ": " length(text) " characters" }'
}

# A message is one call, whose formats have room on two lines; texts that are printed into them are not counted.
long_messages() {
    each '^(common|stages)/.*\.c$' '
        FNR == 1 { inside = 0 }
        !/^[a-z]/ && /(^|[^a-z_])(json_fail|fail|fail_system|fail_context|program_note)\(/ && !inside {
            inside = 1; size = 0; first = FNR
        }
        inside {
            for (line = $0; match(line, /"([^"\\]|\\.)*"/); line = substr(line, RSTART + RLENGTH)) size += RLENGTH - 2
        }
        inside && /;$/ {
            if (size > 240) print FILENAME ":" first ": a message of " size " characters"
            inside = 0
        }'
}

without_story() {
    each '^common/.*\.c$' '
        FNR == 1 { if (bad) print bad; bad = ""; comment = 0; head = 1 }
        head && /^ *\/\*/ { inside = 1 }
        head && inside { comment++ }
        /\*\// { inside = 0 }
        /^#include/ { head = 0 }
        FNR == 151 && comment < 3 { bad = FILENAME ": does not begin with a comment of 3 lines or more" }
        END { if (bad) print bad }'
}

# Tests stop at a command that fails, but for the left side of `&&`, and a command behind `!`.
lost_failures() {
    each "$tested" "$(cat "$BATS_TEST_DIRNAME/../lib/lost.awk")"
}

@test "there are files to look at" {
    for pattern in "$sources" "$product" "$texts"; do
        [ "$(files "$pattern" | wc -l)" -gt 50 ]
    done
    for pattern in "$tested" '\.md$'; do
        [ "$(files "$pattern" | wc -l)" -gt 10 ]
    done
}

@test "no file of the product has more than 600 lines" {
    run long_files
    assert_output ""
}

@test "no function has more than 60 lines without a reason beside it" {
    run long_functions
    assert_output ""
}

@test "no line has more than 120 characters" {
    run long_lines
    assert_output ""
}

@test "no message is longer than two lines" {
    run long_messages
    assert_output ""
}

@test "a file of more than 150 lines begins with its story" {
    run without_story
    assert_output ""
}

@test "no test goes on after a command that failed" {
    run lost_failures
    assert_output ""
}

@test "what breaks the form is seen" {
    mkdir -p "$BATS_TEST_TMPDIR/common/a" "$BATS_TEST_TMPDIR/doc"
    cd "$BATS_TEST_TMPDIR" || return 1
    {
        echo '#include "a.h"'
        printf 'static int f(int a)\n{\n%s}\n' "$(printf '    a++;\n%.0s' $(seq 58))"$'\n'
        printf '/* long: a table */\nstatic int g(int a,\n             int b)\n{\n%s}\n' \
            "$(printf '    a++;\n%.0s' $(seq 90))"$'\n'
    } >common/a/a.c
    run long_functions
    assert_output "common/a/a.c:2: 61 lines: static int f(int a)"
    printf '    fail(e, 3, "%0150d \\" %%s"\n         "%0*d", a);\n' 0 84 0 0 85 0 >common/a/m.c
    run long_messages
    assert_output "common/a/m.c:3: a message of 241 characters"
    rm common/a/m.c
    run without_story
    assert_output "common/a/a.c: does not begin with a comment of 3 lines or more"
    sed -i '1i/* One\n * two\n * three. */' common/a/a.c
    run without_story
    assert_output ""
    for _ in 1 2 3 4; do cat common/a/a.c; done >common/a/b.c
    run long_files
    assert_output "common/a/b.c: more than 600 lines"
    printf '%0120d\n%0121d\n' 0 0 >Makefile
    printf '%s\n' "$(printf 'é%.0s' $(seq 120))" "$(printf 'é %.0s' $(seq 61))" "| $(printf 'é%.0s' $(seq 121))" \
        >doc/a.md
    printf '```\n%0150d 1\n```\n    %0150d 1\n%0150d 1\n' 0 0 0 >>doc/a.md
    run long_lines
    assert_output "Makefile:2: 121 characters
doc/a.md:2: 122 characters
doc/a.md:8: 152 characters"
}

@test "a command whose failure is lost is seen" {
    mkdir -p "$BATS_TEST_TMPDIR/tests/bats"
    cd "$BATS_TEST_TMPDIR" || return 1
    cat >tests/bats/kept.bats <<'END'
[ -e a ] && [ -e b ] || return 1
! grep -q a b || return 1
if ! [ -e a ] && [ -e b ]; then
    (cd a && ls) # a && b
fi
while a && b ||
    c && d; do
    run ! grep '&&
    ! a && b' "$(cd a && echo "b && c" "it's")"
    case $a in *' && ') [[ $a == b && $c == d ]] ;; esac
done < <(a && b)
cat <<E
a && b
E
END
    run lost_failures
    assert_output ""
    cat >tests/bats/lost.bats <<'END'
[ -e a ] && [ -e b ]
a || b &&
    c
    ! grep -q 'a' "b"
a; ! b; c
f() { a && b; }
case $a in b) c && d ;; esac
for a; do [[ a && b ]] && c "(d || e)"; done
a || ! b
a "$(b)" \
    <<<a && c 'd
e || f'
END
    run lost_failures
    assert_output "$(printf 'tests/bats/lost.bats:%s\n' 1 3 4 5 6 7 8 9 12)"
}

# limit NUMBER FILE EXPRESSION: the manual page states the limit that the file sets by that expression.
limit() {
    grep -qF -- "$3" "$2" || fail "$2 does not say '$3'"
    grep -qw -- "$1" man/onebox.7 || fail "onebox(7) does not say $1"
}

@test "the limits that onebox(7) states are those of the sources" {
    limit 65535 common/image/picture.h "PICTURE_MAX_SIDE = 65535"
    limit $((1 << 27)) common/image/picture.h "PICTURE_MAX_PIXELS = 1 << 27"
    limit $((1 << 30)) common/image/picture_file.c "BYTES_MAX = 1 << 30"
    limit 64 common/base/json.h "JSON_DEPTH_MAX = 64,"
    limit $((16 << 20)) common/base/json.h "JSON_RECORD_MAX = 16 * 1024 * 1024"
    limit $((64 << 20)) common/voc/vocxml.c "DEPTH_MAX = 64, TEXT_MAX = 4096, BYTES_MAX = 64 << 20"
    limit $((16 << 20)) common/voc/yolo.c "BYTES_MAX = 16 << 20, NUMBERS_MAX = 4096, CLASSES_MAX = 100000"
    limit 1023 common/voc/names.h "NAMES_FILE_MAX = 1023"
    limit 16 common/voc/tree.c "DEPTH_MAX = 16"
    limit $(((1 << 32) - 2)) common/voc/anno.c "UINT32_MAX - 1"
    limit 8 common/image/augment.h "AUGMENT_MAX = 8"
    limit 16 common/nn/recipe.h "RECIPE_PHASES = 16,"
    limit 65536 common/graph/resnet.c "1 to 65536 are possible"
    limit 100000000 common/weights/safetensors.h "SAFETENSORS_MAX_HEADER = 100000000"
    limit $((1 << 22)) common/weights/pickle.c "MOST_VALUES = 1 << 22, MOST_OBJECTS = 1 << 20"
}
