# Includes point one way: between the rooms of common/ as tests/lib/rooms allows, and inside a room without a circle.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup() {
    cd "${ROOMS_ROOT:-$BATS_TEST_DIRNAME/../..}" || return 1
    table=$BATS_TEST_DIRNAME/../lib/rooms
}

arrows() { # one line "FILE ROOM/HEADER" for each include of ours in common/
    grep -oE '^ *# *include "[^"]+"' common/*/*.[ch] common/*/*.cu | sed 's/: *# *include "/ /; s/"$//'
}

# The arrows that the table does not allow.
forbidden() {
    arrows | awk '
        NR == FNR { if ($1 !~ /^#/ && NF) { known[$1]; for (i = 2; i <= NF; i++) allowed[$1, $i] } ; next }
        { split($1, at, "/"); from = at[2]; split($2, target, "/"); to = target[1]
          if (!(from in known)) print $1 ": the room " from " is not in the table"
          else if (from != to && !((from, to) in allowed)) print $1 ": " from " may not include " $2 }' "$table" -
}

# Files of one room that include each other in a circle; a .c and its .h count as one.
circles() {
    arrows | awk '
        { split($1, at, "/"); split($2, target, "/"); if (at[2] != target[1]) next
          from = at[2] "/" at[3]; to = $2; sub(/\.[a-z]+$/, "", from); sub(/\.[a-z]+$/, "", to)
          if (from != to) print from, to }' | { tsort >/dev/null; } 2>&1
}

# Lines that write to standard output or standard error.
prints() { # FILE…
    grep -nE -e '\b(v?printf|puts|putchar|perror|v?dprintf)\(|\bv?fprintf\((stderr|stdout)' \
        -e '\b(fputs|fputc|putc|fwrite)\(.*\b(stderr|stdout)\b|\bwrite\((1|2|STD[A-Z]*_FILENO),' "$@"
}

@test "the table of rooms has no arrow up" {
    run awk '!/^#/ && NF { for (i = 2; i <= NF; i++) if (!($i in seen)) print $1 " -> " $i; seen[$1] }' "$table"
    assert_output ""
}

@test "every include points where the table of rooms allows" {
    run forbidden
    assert_success
    assert_output ""
}

@test "no circle of files inside a room" {
    run circles
    assert_output ""
}

@test "an arrow up and a circle are seen" {
    mkdir -p "$BATS_TEST_TMPDIR/common/"{base,voc}
    cd "$BATS_TEST_TMPDIR" || return 1
    echo '#include "voc/b.h"' >common/base/a.c
    printf '%s\n' '#include "voc/c.h"' >common/voc/b.h
    printf '%s\n' '#include "voc/b.h"' >common/voc/c.c
    touch common/voc/c.h common/base/none.cu
    run forbidden
    assert_output "common/base/a.c: base may not include voc/b.h"
    run circles
    assert_output --partial "voc/b"
}

@test "only the fronts print" {
    for file in common/*/*.c; do
        case $file in
        common/front/* | common/base/program*.c | common/base/progress.c) continue ;;
        common/base/signals.c) continue ;; # the last words of a program that a signal ends
        esac
        run -1 prints "$file"
    done
}

@test "what prints is seen" {
    cd "$BATS_TEST_TMPDIR" || return 1
    for call in 'printf("")' 'vprintf("", a)' 'puts("")' 'perror("")' 'fprintf(stderr, "")' 'fputs("", stderr)' \
        'vfprintf(stdout, "", a)' "putc('a', stdout)" 'fwrite(p, 1, 2, stdout)' 'dprintf(2, "")' \
        'write(STDERR_FILENO, p, 1)'; do
        echo "    $call;" >a.c
        run -0 prints a.c
    done
    printf '%s\n' 'snprintf(a, 1, "");' 'fputs("", file);' 'fwrite(p, 1, 2, file);' 'write(fd, p, 1);' \
        'f = stdout;' >a.c
    run -1 prints a.c
}

@test "only common/device knows vendors' libraries" {
    for file in common/*/*.[ch] stages/*.c; do
        case $file in common/device/*) continue ;; esac
        run -1 grep -nE 'include *[<"](oneapi/dnnl|dnnl|omp|cudnn|cuda|cublas)' "$file"
    done
}
