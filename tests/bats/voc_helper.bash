# What the tests of the annotation programs share.
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

SHARED=$BATS_TEST_DIRNAME/../../../shared/data

# Leaves the test when the real data is not there.
need_shared() {
    [ -e "$SHARED/$1" ] || skip "../shared/data/$1 is not there"
}

# refused CODE PATTERN OUTPUT COMMAND…: the command must exit with CODE and say one line on standard error that
# begins with the program's name and holds PATTERN (a glob), write nothing to standard output, and leave neither
# OUTPUT nor a temporary sibling of it.
refused() {
    local code=$1 pattern=$2 output=$3 program=${4##*/} status=0
    shift 3
    "$@" >"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" || status=$?
    echo "status $status, said: $(cat "$BATS_TEST_TMPDIR/stderr")"
    [ "$status" -eq "$code" ] || return 1
    [ "$(wc -l <"$BATS_TEST_TMPDIR/stderr")" -eq 1 ] || return 1
    [[ $(cat "$BATS_TEST_TMPDIR/stderr") == "$program: "*$pattern* ]] || return 1
    [ ! -s "$BATS_TEST_TMPDIR/stdout" ] || return 1
    [ ! -e "$output" ] || { echo "$output is there"; return 1; }
    ! compgen -G "$output.tmp.*" || return 1
}

# said TEXT: the last `run --separate-stderr` said exactly that on standard error; said_part: that among other things.
said() {
    # shellcheck disable=SC2154
    [ "$stderr" = "$1" ] || { echo "standard error: $stderr"; return 1; }
}
said_part() {
    [[ $stderr == *"$1"* ]] || { echo "standard error: $stderr"; return 1; }
}

# help_is_complete PROGRAM: --help names every part that a user looks for.
help_is_complete() {
    run "$1" --help
    assert_success
    assert_output --partial "Usage: ${1##*/}"
    assert_output --partial "EXAMPLES"
    assert_output --partial "--check FILE"
    assert_output --partial "Exit codes"
    run "$1" --version
    assert_success
    assert_output --partial "${1##*/} (onebox)"
    assert_output --partial "compiler:"
}

# A VOC annotation on standard output: voc_xml NAME WIDTH HEIGHT OBJECTS…, each object is
# "name difficult xmin ymin xmax ymax".
voc_xml() {
    printf '<annotation>\n<filename>%s</filename>\n' "$1"
    printf '<size><width>%s</width><height>%s</height><depth>3</depth></size>\n' \
        "$2" "$3"
    shift 3
    local object name difficult xmin ymin xmax ymax
    for object; do
        read -r name difficult xmin ymin xmax ymax <<<"$object"
        printf '<object><name>%s</name><difficult>%s</difficult><bndbox><xmin>%s</xmin><ymin>%s</ymin><xmax>%s</xmax>' \
            "$name" "$difficult" "$xmin" "$ymin" "$xmax"
        printf '<ymax>%s</ymax></bndbox></object>\n' "$ymax"
    done
    echo '</annotation>'
}
