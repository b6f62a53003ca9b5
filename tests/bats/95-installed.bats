#!/usr/bin/env bats
# Manual pages, completion, and an installed copy of the real programs, used far from the sources.
# shellcheck disable=SC2030,SC2031 # bats' tests are subshells

bats_require_minimum_version 1.5.0
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

root=$BATS_TEST_DIRNAME/../..

# make in the sources with the programs as they are, objects and pages elsewhere
source_make() {
    local program built=(-o "$BIN/onebox")
    for program in "$root"/stages/*.c; do
        program=${program##*/}
        built+=(-o "$BIN/${program%.c}")
    done
    env -i PATH="$PATH" HOME="$HOME" ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" \
        make -C "$root" --no-print-directory "${built[@]}" BIN="$BIN" BUILD="$BATS_FILE_TMPDIR/build" \
        CUDA=0 PREFIX=/usr/local DESTDIR="$BATS_FILE_TMPDIR/image" "$@"
}

setup_file() {
    source_make install >"$BATS_FILE_TMPDIR/install.log"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    prefix=$BATS_FILE_TMPDIR/image/usr/local
}

programs() {
    local program
    for program in "$root"/stages/*.c; do
        program=${program##*/}
        echo "${program%.c}"
    done
}

# The long options that --help lists, one a line
help_options() { # PROGRAM
    "$BIN/$1" --help | sed -n '/^EXAMPLES/q; s/^  \(-[a-zA-Z], \|    \)\(--[a-z0-9-]*\).*/\2/p' | sort
}

@test "every program has a manual page, with every option of its --help and all sections" {
    for program in $(programs); do
        page=$prefix/share/man/man1/$program.1
        run -0 diff <(help_options "$program") <(sed -n 's/\\-/-/g; /^\.TP/{n; s/.*\\fB\(--[a-z0-9-]*\)\\fR.*/\1/p}' \
            <(sed 's/\\-/-/g' "$page") | sort)
        for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
            grep -q "^\.SH $section\$" "$page" || { echo "$program: no $section"; return 1; }
        done
    done
}

@test "the synopsis sets file names in one style, those that begin with a digit too" {
    run -0 grep -F '224.' <(sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$prefix/share/man/man1/predict.1")
    assert_output --partial '\fI224.cache\fR'
}

@test "the overview names every program and has no gaps" {
    page=$prefix/share/man/man7/onebox.7
    for program in $(programs); do
        sed 's/\\-/-/g' "$page" | grep -qxF ".BR $program (1)" || { echo "$program is not there"; return 1; }
    done
    run -1 grep @ <(grep -v LocAcc@0.5 "$page")
}

@test "groff and man have nothing to warn of" {
    command -v groff >/dev/null && command -v man >/dev/null || skip "man-db and groff are not installed"
    for page in "$prefix"/share/man/man1/*.1 "$prefix"/share/man/man5/*.5 "$prefix/share/man/man7/onebox.7"; do
        man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>warnings >/dev/null
        [ ! -s warnings ] || { cat warnings; return 1; }
    done
    run -0 env MANWIDTH=80 man -l "$prefix/share/man/man1/predict.1"
    assert_output --partial "--save-pictures DIR"
    # found from anywhere, not only below the folders of man
    run -0 env MANWIDTH=80 man -l "$prefix/share/man/man1/onebox.1"
    assert_output --partial "from annotated photos"
    run -0 env MANWIDTH=80 "$prefix/bin/onebox" help predict
    assert_output --partial "--save-pictures DIR"
}

@test "mandoc has nothing to warn of" {
    command -v mandoc >/dev/null || skip "mandoc is not installed"
    run -0 mandoc -Tlint -Wwarning "$prefix"/share/man/man1/[!o]*.1 "$prefix"/share/man/man5/*.5 \
        "$prefix/share/man/man7/onebox.7"
    assert_output ""
}

# complete WORD…: what completion offers for the last word, one a line
complete_in() { # SCRIPT WORD…
    bash -c '
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        function_of=$(complete -p "${1##*/}") || exit
        function_of=${function_of#*-F }; ${function_of%% *} "$1"
        [ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

offers() { # WORD… : WANTED…   (nothing else, in any order)
    local words=()
    while [ "$1" != : ]; do words+=("$1"); shift; done
    shift
    run -0 complete_in "$root/scripts/completion.bash" "${words[@]}"
    assert_equal "$(sort <<<"$output" | xargs)" "$(printf '%s\n' "$@" | sort | xargs)"
}

@test "completion offers every option of every program" {
    for program in $(programs); do
        run -0 complete_in "$root/scripts/completion.bash" "$BIN/$program" --
        assert_equal "$(sort <<<"$output")" "$(help_options "$program")"
    done
}

@test "completion offers choices, also behind = and short options" {
    offers "$BIN/mkcsv" --order '' : id set
    offers "$BIN/predict" --conv = w : winograd
    offers "$BIN/predict" --conv = : auto direct onednn winograd
    offers "$BIN/render" -k sch : schedule
    offers "$BIN/train-cls" --arch resnet : resnet18 resnet34 resnet50
    offers "$BIN/train-cls" --set phase.top.l : phase.top.lr= phase.top.len=
}

@test "completion offers files by what they are, folders, and any file when there is none of the kind" {
    mkdir -p pictures/more
    touch a.ckpt b.cache c.json d.tsv pictures/1.jpg pictures/2.PNG pictures/3.txt 'my model.ckpt'
    offers "$BIN/predict" --ckpt '' : 'my model.ckpt' a.ckpt pictures
    offers "$BIN/predict" --cache '' : b.cache pictures
    offers "$BIN/json2anno" '' : c.json pictures
    offers "$BIN/largest" '' : d.tsv pictures
    offers "$BIN/predict" pictures/ : pictures/1.jpg pictures/2.PNG pictures/more
    offers "$BIN/resize-cache" --images '' : pictures
    offers "$BIN/report" '' : pictures
    offers "$BIN/train-cls" --recipe d : d.tsv
    offers "$BIN/train-cls" --weights no : none
    offers "$BIN/predict" --top '' : ''
}

@test "bash-completion loads the installed completion when it is needed" {
    [ -e /usr/share/bash-completion/bash_completion ] || skip "bash-completion is not installed"
    cp -r "$prefix/share" .
    ln -s onebox share/bash-completion/completions/predict # as LINKS=1 does
    run -0 env XDG_DATA_DIRS="$PWD/share" bash -c '
        source /usr/share/bash-completion/bash_completion
        ! complete -p predict 2>/dev/null || exit 1
        _completion_loader predict
        complete -p predict; complete -p onebox; ! complete -p render'
    assert_line --regexp '-F _onebox_plain predict$'
    assert_line --regexp '-F _onebox onebox$'
}

in_onebox() { # WORD… : WANTED…: what completion offers behind the installed command
    local words=()
    while [ "$1" != : ]; do words+=("$1"); shift; done
    shift
    run -0 complete_in "$prefix/share/bash-completion/completions/onebox" "$prefix/bin/onebox" "${words[@]}"
    assert_equal "$(sort <<<"$output" | xargs)" "$(printf '%s\n' "$@" | sort | xargs)"
}

@test "the command onebox completes programs, their options, goals and settings, and no goal that there is not" {
    in_onebox det : detn
    in_onebox pre : predict
    in_onebox DEMO_PIC : DEMO_PICTURES=
    in_onebox he : help
    in_onebox --v : --version
    in_onebox on : ''
    in_onebox repo : report
    in_onebox help tra : train-bbox train-cls train-detn train-objects
    in_onebox predict --conv = w : winograd
    in_onebox mkcsv --order '' : id set
    touch a.ckpt b.txt
    in_onebox predict --ckpt '' : a.ckpt
    in_onebox detn VOC = '' : a.ckpt b.txt
    run -0 complete_in "$root/scripts/completion.bash" "$BIN/onebox" predict --cache-
    assert_output ""
    run -0 complete_in "$root/scripts/completion.bash" "$BIN/onebox" pred
    assert_output predict
}

# What onebox does, installed and in the folder of a checkout's programs.
onebox_works() { # COMMAND
    version=$("$BIN/largest" --version | sed -n '1s/^largest (onebox) //p')
    run -0 "$1" --version
    assert_output "onebox $version"
    for word in '' help -h --help; do
        # shellcheck disable=SC2086 # no word, or one
        run -0 "$1" $word
        assert_line --partial "onebox out/detn.ckpt"
        assert_line --partial "(onebox VARIABLE=VALUE"
        assert_line --regexp '^  predict +the largest object of each picture'
        refute_output --partial "make VARIABLE"
        refute_output --partial "  install "
    done
    run -0 "$1" help largest
    assert_output --partial "the largest object of each picture"
    run -2 "$1" help nothing
    assert_output "onebox: 'nothing' is not a program; 'onebox help' lists programs, goals and settings"
    # a word that is not known is answered in one line, with what may be meant
    local unknown="is no program, goal or file" help="'onebox help' lists programs, goals and settings"
    run -2 "$1" predcit
    assert_output "onebox: 'predcit' $unknown (do you mean 'predict'?); $help"
    run -2 "$1" VOC=voc staus
    assert_output "onebox: 'staus' $unknown (do you mean 'status'?); $help"
    run -2 "$1" frobnicate
    assert_output "onebox: 'frobnicate' $unknown; $help"
    run -0 "$1" VOC=voc help
    run -2 "$1" out/none
    assert_output --partial "No rule to make target 'out/none'"
    for program in $(programs); do
        run -0 "$1" "$program" --version
        assert_line --index 0 "$program (onebox) $version"
    done
    # the first word decides; report is a program and a goal
    mkdir -p "$BATS_TEST_TMPDIR"/work/{made,out,shown} && cd "$BATS_TEST_TMPDIR/work" || return 1
    printf '%s\n' image_id file_name width height category y1 x1 y2 x2 ignore | paste -s |
        tee {made,out,shown}/anno.tsv >one
    printf '%s\n' 1 1.jpg 9 9 a 1 1 5 5 0 | paste -s | tee -a {made,out,shown}/anno.tsv >one
    run -0 "$1" report OUT=made
    [ -s made/report.html ]
    [ ! -e out/report.html ]
    run -0 "$1" report
    [ -s out/report.html ]
    run -0 "$1" report -o page.html shown
    [ -s page.html ]
    run -0 "$1" -n report
    assert_output --regexp "report +-o out/report.html out"
    run -0 "$1" status T=out/lrg.csv
    assert_output --partial missing
    run -2 "$1" out/cls.ckpt
    assert_output --regexp "no annotations in data/VOC2007: .onebox data. downloads"
    # the only names that are both
    run -0 "$1" --names
    assert_equal "$(sed -n 's/^goal //p; s/^program //p' <<<"$output" | sort | uniq -d)" report
}

@test "onebox runs programs, goals and help, installed" {
    assert_equal "$(ls "$prefix/bin")" onebox
    onebox_works "$prefix/bin/onebox"
    ln -s "$prefix/bin/onebox" other
    run -0 ./other largest --version
}

@test "onebox runs programs, goals and help, in a checkout" {
    cp -r "$root/scripts" "$root/recipes" "$root/pipeline.mk" .
    mkdir -p build/bin
    cp "$root/scripts/onebox" build/bin
    for program in $(programs); do
        ln -s "$BIN/$program" build/bin
    done
    onebox_works "$PWD/build/bin/onebox"
    mv "$BATS_TEST_TMPDIR/pipeline.mk" "$BATS_TEST_TMPDIR/away"
    run -4 "$BATS_TEST_TMPDIR/build/bin/onebox" help
    assert_output --partial "onebox: no pipeline.mk in"
}

@test "the library of the GPU device is found beside the installed programs" {
    library=$HELPERS/standin/onebox-cuda.so
    [ -e "$library" ] || skip "the stand-in is not built"
    [ -z "${ASAN-}" ] || skip "the sanitizers do not like a driver that is a stand-in"
    gcc -shared -o libcuda.so.1 -x c /dev/null # a driver, as far as anybody looks
    cp -rL "$prefix" copy
    unset ONEBOX_CUDA_LIBRARY
    LD_LIBRARY_PATH=$PWD run -0 copy/bin/onebox train-detn --version
    assert_line --partial "the GPU device is not in this build"
    cp "$library" copy/libexec/onebox
    LD_LIBRARY_PATH=$PWD run -0 copy/bin/onebox train-detn --version
    assert_line --regexp '^devices: .*cuda'
    refute_output --partial "not in this build"
    case $("$root/scripts/cuda" --probe) in yes*) ;; *) return ;; esac
    run -0 source_make -n install CUDA=1 -o "$BIN/onebox-cuda.so"
    assert_output --regexp "install .*/libexec/onebox' .*$BIN/onebox-cuda.so"
}

@test "an installed copy works from anywhere: programs, and the pipeline through the command onebox" {
    mkdir -p 'far away/data'
    cd 'far away' || return 1
    cp -r "$root/tests/golden/shapes" data/shapes
    export PATH=$prefix/bin:$PATH
    unset BIN
    onebox resize-cache --images data/shapes --size 64 -o 64.cache data/shapes/lrg.csv
    printf 'arch tiny\nsize 64\nbatch 16\nphase head from head lr 1e-2 triangular 32 5 epochs 1\n' >cls.recipe
    onebox train-cls --cache 64.cache --lrg data/shapes/lrg.csv --val data/shapes/val.txt --weights none \
        --recipe cls.recipe -o cls.ckpt
    run -0 --separate-stderr onebox predict --ckpt cls.ckpt --cache 64.cache --only data/shapes/val.txt
    assert_equal "${#lines[@]}" 16
    run -2 onebox out/cls.ckpt
    assert_output --regexp "no annotations in data/VOC2007: .onebox data. downloads"
    assert_output --regexp ".onebox demo. needs no data"
    mkdir -p voc/Annotations voc/JPEGImages
    cp data/shapes/*.png voc/JPEGImages 2>/dev/null
    for picture in voc/JPEGImages/*; do
        name=${picture##*/}
        printf '<annotation><filename>%s</filename>
            <object><name>a</name><difficult>0</difficult>
            <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>\n' \
            "$name" >"voc/Annotations/${name%.*}.xml"
    done
    run -0 onebox csv VOC=voc
    [ -s out/lrg.csv ]
    [ -e out/log/csv.log ]
    run -0 onebox report
    [ -s out/report.html ]
    # products below a folder "build" are products like others
    run -0 onebox VOC=voc OUT=build/one build/one/lrg.csv
    run -0 onebox VOC=voc OUT=build/one build/one/lrg.csv -q
    run -1 onebox VOC=voc OUT=build/one build/one/lrg.csv -q ORDER=id
    run -0 onebox status VOC=voc
    assert_output --regexp 'out/lrg.csv .* up to date'
    run -0 onebox why T=out/lrg.csv VOC=voc ORDER=id
    assert_output --partial "csv: other settings, see onebox params-diff"
    run -0 onebox -n cls VOC=voc WEIGHTS=none
    assert_output --partial "$prefix/share/onebox/recipes/cls.recipe"
    [ -e "$prefix/share/onebox/recipes/demo/cls.recipe" ]
}

@test "STATIC=1 makes programs that need no library at all" {
    [ -z "${ASAN-}" ] || skip "the sanitizers' objects need their libraries"
    objects=${UNITS%% *}
    objects=${objects%/tests/*}
    [[ $objects == /* ]] || objects=$root/$objects
    [ -e "$objects/libonebox.a" ] || skip "the objects of the programs are not here"
    [[ $(gcc -print-file-name=libexpat.a) == /* ]] || skip "there are no archives of the libraries here"
    # the programs are linked from the objects that are there: make would compile all of them for other settings
    link() { # PROGRAM [SETTING]
        read -ra libraries < <(make -C "$root" -pnq STATIC=1 "${@:2}" 2>/dev/null | sed -n 's/^LDLIBS := //p')
        [ ${#libraries[@]} -gt 8 ]
        run -0 gcc -fopenmp -Wl,--as-needed -Wl,--gc-sections -o "$1" "$objects/stages/$1.o" "$objects/libonebox.a" \
            "${libraries[@]}"
        run ldd "./$1"
        assert_output --partial "not a dynamic executable"
    }
    link report has_cairo= # as on Debian 13
    link train-bbox
    run make -C "$root" -n STATIC=1 CUDA=1
    assert_output --partial "leave CUDA=1 and ONEDNN=1 out"
    shapes=$root/tests/golden/shapes
    printf 'arch tiny\nsize 64\nbatch 16\nphase head from head lr 1e-2 triangular 32 5 epochs 1\n' >bbox.recipe
    "$BIN/resize-cache" --images "$shapes" --size 64 -o 64.cache "$shapes/lrg.csv"
    ./train-bbox --cache 64.cache --bb "$shapes/bb.csv" --val "$shapes/val.txt" --weights none \
        --recipe bbox.recipe -o bbox.ckpt
    pictures=("$shapes"/00000*)
    [[ $(gcc -print-file-name=libcairo.a) == /* ]] || return 0 # Debian 13 has none
    link predict
    ./predict --ckpt bbox.ckpt --save-pictures seen "${pictures[@]}" >static.tsv
    "$BIN/predict" --ckpt bbox.ckpt --save-pictures also "${pictures[@]}" | cmp - static.tsv
    diff -r seen also
}

@test "the installed files are those that uninstall removes" {
    run -0 source_make uninstall
    run -0 find "$BATS_FILE_TMPDIR/image" ! -type d
    assert_output ""
    [ ! -e "$prefix/share/onebox" ]
    [ ! -e "$prefix/libexec/onebox" ]
}
