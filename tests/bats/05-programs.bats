#!/usr/bin/env bats
# What all programs have in common (common/base): the command line, standard files that are closed or that nobody reads,
# and outputs that would replace an input or one another.
# shellcheck disable=SC2154 # shapes and stderr are set by shapes.bash and bats

load ../lib/shapes.bash

anno() { # LINES: a table of that many objects on standard output
    printf 'image_id\tfile_name\twidth\theight\tcategory\ty1\tx1\ty2\tx2\tignore\n'
    seq -f "%.0f" "$1" | awk -v OFS='\t' '{ print $1, "p" $1 ".jpg", 500, 400, "cat", 0, 0, 99, 99, 0 }'
}

# usage PATTERN COMMAND…: exit 2, and one line that matches.
usage() {
    local pattern=$1
    shift
    run "$@"
    assert_failure 2
    assert_equal "${#lines[@]}" 1
    assert_line --regexp "$pattern"
}

@test "no file gets the number of a standard file that is closed" {
    mkfifo in.pipe
    exec 9<>in.pipe
    bash -c "exec '$BIN/largest' -o x.tsv in.pipe <&- >&- 2>&- 9>&-" 3>&- &
    reads() { # the program, and no longer the shell that starts it
        [ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$BIN/largest")" ] || return 1
        readlink "/proc/$1/fd/"* 2>/dev/null | grep -qxF "$PWD/in.pipe"
    }
    for ((tries = 0; tries < 500; tries++)); do
        ! reads "$!" || break
        sleep 0.02
    done
    assert_equal "$(readlink "/proc/$!/fd/"{0,1,2} | xargs)" "/dev/null /dev/null /dev/null"
    anno 9 >&9
    exec 9>&-
    wait $!
    "$BIN/largest" --check x.tsv
}

@test "a result that standard output cannot take is an error, a remark is not" {
    anno 9 >in.anno
    run --separate-stderr bash -c "'$BIN/largest' -o - in.anno >&-"
    assert_failure 4
    assert_equal "$stderr" "largest: -: cannot write: Bad file descriptor"
    run --separate-stderr bash -c "'$BIN/largest' -o x.tsv in.anno >&-"
    assert_success
    "$BIN/largest" --check x.tsv
}

@test "a training goes on when nobody reads its table any more" {
    for reader in true 'head -n 1'; do
        run bash -c "'$BIN/train-cls' --cache '$BATS_FILE_TMPDIR/shapes.cache' --val '$shapes/val.txt' \
            --lrg '$shapes/lrg.csv' \
            --recipe '$BATS_FILE_TMPDIR/tiny.recipe' --weights none --epochs 2 -o x.ckpt 2>said | $reader
            exit \${PIPESTATUS[0]}"
        assert_success
        run -1 grep "cannot write" said
        "$BIN/train-cls" --check x.ckpt
        assert_equal "$(wc -l <x.history.tsv)" 5
        rm x.*
    done
}

@test "a program whose result nobody reads any more ends without a word" {
    anno 100000 >in.anno
    run bash -c "'$BIN/largest' -o - in.anno | head -n 1; exit \${PIPESTATUS[0]}"
    assert_failure 141 # by SIGPIPE
    assert_equal "${#lines[@]}" 1
}

@test "an option's value is not an option" {
    usage "^render: --kind KIND is needed" "$BIN/render" --title -h -o x.png
    usage "^render: --kind KIND is needed" "$BIN/render" -o --help --title --version
    run "$BIN/render" --title -h --man
    assert_success
    assert_line --partial ".TH RENDER 1"
    run -0 "$BIN/render" --title=x -h
    assert_line --partial "Usage: render"
    run "$BIN/largest" --check -h
    assert_failure 1
    assert_output ""
}

@test "a word near an option of all programs is told, and the summary and the page show the same ones" {
    usage "^largest: unknown option --vresion, did you mean --version" "$BIN/largest" --vresion
    usage "^largest: unknown option --chek, did you mean --check" "$BIN/largest" --chek x
    for name in check help man version; do
        run -0 grep -c -e "--$name" <("$BIN/largest" --help)
        run -0 grep -c -F -e "\\-\\-$name" <("$BIN/largest" --man)
    done
}

@test "an option that takes one value is given once" {
    usage "^render: --history is given twice; it takes one value$" \
        "$BIN/render" --kind curves --history a --history b -o x.png
    usage "^largest: --output is given twice" "$BIN/largest" -o a --output=b in.anno
    # flags and lists may be repeated
    run "$BIN/train-cls" --set batch=16 --set size=64 --summary-noise --summary-noise
    refute_line --partial twice
}

@test "no output replaces an input or another output, by whatever name" {
    anno 9 >in.anno
    before=$(sha256sum <in.anno)
    ln -s in.anno in.link
    ln in.anno in.hard
    for other in in.anno ./in.anno in.link in.hard "$PWD/in.anno"; do
        usage \
            "^largest: in.anno: (--output and the command|the command reads it and --output would replace it)" \
            "$BIN/largest" -o "$other" in.anno
        usage "^render: in.anno: --anno reads it and --output would replace it; give them different names$" \
            "$BIN/render" --kind sample --anno in.anno -o "$other"
    done
    usage "^predict: k: --ckpt reads it and --output" bash -c "cp in.anno k && '$BIN/predict' --ckpt k -o k ."
    usage "^predict: in.anno: --cache reads it and --output" "$BIN/predict" --ckpt k --cache in.anno -o in.hard
    usage "^resize-cache: in.anno: the command reads it" "$BIN/resize-cache" --images . -o in.anno in.anno
    usage "^render: ./x: --output and --values would be one file|^render: x: --output and --values would be one file" \
        "$BIN/render" --kind sample -o x --values ./x
    usage "^mkcsv: x: --lrg and --bb would be one file" "$BIN/mkcsv" --lrg x --bb "$PWD/x" in.anno
    usage "^evaluate: standard input: --anno and --pred would both read it" "$BIN/evaluate" --anno - --pred -
    usage "^mkcsv: standard output: --lrg and --bb would be one file" "$BIN/mkcsv" --lrg - --bb - in.anno
    assert_equal "$(sha256sum <in.anno)" "$before"
    # what is no file may be named twice, and "-" once for each direction
    "$BIN/mkcsv" --lrg /dev/null --bb /dev/null in.anno
    "$BIN/largest" -o - - <in.anno >x
    "$BIN/largest" --check x
}

@test "an empty file name is refused" {
    anno 9 >in.anno
    usage "^largest: --output is given an empty file name$" "$BIN/largest" -o "" in.anno
    usage "^largest: an empty file name is given; usage: largest" "$BIN/largest" -o x.tsv ""
    usage "^predict: --cache is given an empty file name$" "$BIN/predict" --ckpt k --cache= -o x.tsv
    assert [ ! -e x.tsv ]
}

@test "/dev/stdout is standard output, and no file that is open is replaced" {
    anno 9 >in.anno
    for name in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
        (echo before && "$BIN/largest" -o "$name" in.anno && echo behind) >out.tsv
        assert_equal "$(sed -n '1p;$p' out.tsv | xargs)" "before behind"
        "$BIN/largest" --check <(sed '1d;$d' out.tsv)
    done
    usage "^mkcsv: standard output: --lrg and --bb would be one file" "$BIN/mkcsv" --lrg - --bb /dev/stdout in.anno
    for name in /dev/fd/8 /proc/self/fd/8; do
        usage "^largest: $name: is a file that is open already and would be replaced; name the file itself$" \
            bash -c "exec '$BIN/largest' -o $name in.anno 8>open.tsv"
        assert [ ! -s open.tsv ]
    done
    "$BIN/largest" -o /dev/fd/8 in.anno 8>&1 2>said | cat >pipe.tsv # a pipe is written directly
    "$BIN/largest" --check pipe.tsv
}

@test "programs and libraries are hardened: no fixed address, read-only tables, no code on the stack, checked copies" {
    command -v readelf >/dev/null || skip "readelf is not installed"
    [ -z "${ASAN:-}" ] || skip "sanitizers do it in their way"
    local file name
    for file in "$BIN"/*; do
        readelf -h "$file" >/dev/null 2>&1 || continue # a script
        name=${file##*/}
        readelf -hldW "$file" >elf
        grep -q GNU_RELRO elf || fail "$name: tables that can be written"
        run ! grep -Eq 'GNU_STACK.* RWE' elf
        grep -q INTERP elf || [ "${name%.so}" != "$name" ] || continue # made by STATIC=1
        grep -q 'Type: *DYN' elf || fail "$name: a fixed address"
        grep -q BIND_NOW elf || fail "$name: tables that can be written after the start"
        readelf --dyn-syms -W "$file" >symbols
        grep -q __stack_chk_fail symbols || fail "$name: no guard on the stack"
        grep -Eq '__[a-z]+_chk@' symbols || fail "$name: no checked copies"
    done
    [ -s elf ]
}
