#!/usr/bin/env bats
# The page over a folder of products, on a folder written by hand.
# shellcheck disable=SC2154 # stderr is set by bats

bats_require_minimum_version 1.5.0
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
load voc_helper

# checkpoint FILE KEY VALUE…: a safetensors file with that metadata (JSON without quotes) and one tensor of one number.
checkpoint() {
    local file=$1 meta='' header
    shift
    while [ $# -gt 0 ]; do
        meta+="${meta:+,}\"$1\":\"$2\""
        shift 2
    done
    header="{\"__metadata__\":{$meta},\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
    while [ $((${#header} % 8)) -ne 0 ]; do header+=' '; done
    printf '%b\0\0\0\0\0\0%s\0\0\0\0' "$(printf '\\x%02x\\x%02x' $((${#header} & 255)) $((${#header} >> 8)))" \
        "$header" >"$file"
}

metric() { # NAME VALUE SE
    printf '  "%s": {"value": %s, "se": %s},\n' "$1" "$2" "$3"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir -p out/log out/lr out/pictures
    local header=$'image_id\tfile_name\twidth\theight\tcategory\ty1\tx1\ty2\tx2\tignore' i class
    echo "$header" | tee out/anno.tsv >out/largest.tsv
    echo fn,cat >out/lrg.csv
    echo fn,bbox >out/bb.csv
    for i in 1 2 3 4 5; do
        class='cat'
        [ $i -lt 4 ] || class='<b>dog</b>'
        printf '%d\t%d.jpg\t100\t80\t%s\t1\t2\t30\t40\t0\n' $i $i "$class" | tee -a out/anno.tsv >>out/largest.tsv
        echo "$i.jpg,$class" >>out/lrg.csv
        echo "$i.jpg,1 2 30 40" >>out/bb.csv
    done
    printf '5\t5.jpg\t100\t80\tcat\t0\t0\t9\t9\t0\n' >>out/anno.tsv
    printf '2.jpg\n5.jpg\n' >out/val.txt
    checkpoint out/detn.ckpt format 'onebox 1' task detn arch tiny classes '<b>dog</b>\ncat' size 64 version 9.9 \
        conv 'cpu: <script>alert(1)</script>' seed 7 parent '' metrics 'val_loss 3.5 accuracy 0.5 l1 2.25' \
        recipe 'arch tiny\nsize 64\nphase head from head lr 0.01 triangular 32 5 epochs 2\n'
    cp out/detn.ckpt out/detn.0.ckpt
    {
        printf 'phase\tepoch\ttrn_loss\tval_loss\taccuracy\tl1\tseconds\timages_per_second\n'
        printf 'head\t0\t5.5\t4.5\t0.25\t-\t1.5\t30.25\n'
    } >out/detn.history.tsv
    {
        printf '{\n  "n": 2,\n  "unjudged": 0,\n  "unpredicted": 3,\n  "frame": 64,\n  "l1_from": "frame",\n'
        metric accuracy 0.5 0.353553
        metric l1 2.25 0.5
        metric mean_iou 0.625 0.1
        metric iou_half 0.75 0.2
        metric locacc_largest 0.4375 0.15
        metric locacc_any 0.5 0.16
        printf '  "classes": [\n    {"name": "<b>dog</b>", "n": 1, "predicted": 0, "correct": 0, '
        printf '"recall": 0.125, "precision": null, "l1": null, "mean_iou": null, "iou_half": null, '
        printf '"locacc_largest": null, "locacc_any": null}\n  ]\n}\n'
    } >out/detn.metrics.json
    cp "$BATS_TEST_DIRNAME/../golden/shapes/000002.png" out/detn.grid.png 2>/dev/null ||
        cp "$(find "$BATS_TEST_DIRNAME/../golden/shapes" -name '*.png' | sort | head -n 1)" out/detn.grid.png
    cp out/detn.grid.png out/lr/detn.head.png
    cp out/detn.grid.png 'out/pictures/01 <image>.png'
    echo '(80,100,3) & more' >'out/pictures/01 <image>.txt'
    printf '%s\n' 'command: train-detn -o "out/detn.ckpt"' 'train-detn: done in 1:02, 0.25 GiB of memory at most' \
        'seconds: 62.5' 'exit: 0' >out/log/detn.log
    printf 'command: false\nseconds: 0.0\nexit: 4\n' >out/log/other.log
}

page() {
    run -0 --separate-stderr "$BIN/report" "$@"
    assert_output ""
    assert_equal "$stderr" ""
}

@test "the page holds data, figures with standard errors, recipe, history, times and pictures" {
    page out
    run -0 cat out/report.html
    for part in '6 objects of 2 classes in 5 pictures' '3 pictures train, 2 validate' '0.500 ± 0.354' '2.25 ± 0.50' \
        '0.438 ± 0.150' '<th>head<td class="text">the head<td>2<td class="text">0.01' '<td>30.25' \
        '62.5 s, 0.25 GiB of memory' \
        'onebox 9.9, seed 7' '0.125<td>–' 'failed, exit code 4' '(80,100,3) &amp; more' \
        'train-detn -o &quot;out/detn.ckpt&quot;'; do
        assert_output --partial "$part"
    done
    # the columns that the history leaves empty are left out
    refute_output --partial '<th>L1</thead>'
    # the split's SHA-256 is that of the file names without their endings
    assert_output --partial "$(printf '2\n5\n' | sha256sum | cut -d ' ' -f 1)"
    assert_equal "$(grep -c '<img .*src="data:image/png;base64,' out/report.html)" 3
}

@test "the pictures inside are the files, byte for byte" {
    page out
    grep -o 'base64,[^"]*' out/report.html | head -n 1 | cut -d , -f 2 | base64 -d | cmp - out/detn.grid.png
}

@test "the page is one file: no scripts, nothing from outside, links to files that are there" {
    page out
    run -1 grep -iE '<script|<link|src="[^d]|https?:|@import|url\(' out/report.html
    grep -o 'href="[^"#][^"]*"' out/report.html | sort -u | cut -d '"' -f 2 >links
    [ "$(wc -l <links)" -ge 10 ]
    while read -r link; do
        printf -v file '%b' "${link//%/\\x}"
        [ -e "out/$file" ] || { echo "no file $file"; return 1; }
    done <links
}

@test "whatever comes from files is escaped" {
    page --title 'a <i> & "b"' out
    run -1 grep -E '<b>dog|<i>|<image>|alert\(1\)</script>' out/report.html
    grep -q '&lt;b&gt;dog&lt;/b&gt;' out/report.html
    grep -q '<title>a &lt;i&gt; &amp; &quot;b&quot;</title>' out/report.html
    grep -q 'href="pictures/01%20%3Cimage%3E.png"' out/report.html
}

@test "tags that are opened are closed" {
    page out
    for tag in html head body main section table tbody thead div dl dt dd figure figcaption pre details nav \
        header p h1 h2 h3 a; do
        opened=$(grep -oE "<${tag}[ >]" out/report.html | wc -l)
        closed=$(grep -o "</$tag>" out/report.html | wc -l)
        [ "$opened" -eq "$closed" ] || { echo "$tag: $opened opened, $closed closed"; return 1; }
    done
}

@test "the same files give the same bytes, wherever the times are" {
    page out
    cp out/report.html first
    find out -exec touch {} +
    page out
    cmp out/report.html first
    "$BIN/report" -o - out | cmp - <("$BIN/report" -o - out/)
}

@test "links lead from the page to the files when it is written elsewhere" {
    mkdir -p 'a b/c'
    page -o 'a b/c/page.html' out
    grep -q 'href="../../out/anno.tsv"' 'a b/c/page.html'
    (cd out && page -o ../page.html .)
    grep -q 'href="out/anno.tsv"' page.html
    (cd out && page -o page.html "$PWD")
    grep -q 'href="anno.tsv"' out/page.html
}

@test "what is not there is left out" {
    rm -r out/log out/lr out/pictures out/detn.* out/anno.tsv out/largest.tsv out/bb.csv
    page out
    grep -q '3 pictures train, 2 validate' out/report.html
    run -1 grep -E 'anno.tsv|id="detn"|id="rates"|id="steps"|<img' out/report.html
    rm out/lrg.csv out/val.txt
    mkdir -p out/lr
    cp "$(find "$BATS_TEST_DIRNAME/../golden/shapes" -name '*.png' | sort | head -n 1)" out/lr/cls.head.png
    page out
    run -0 grep -c '<img' out/report.html
    assert_output 1
}

@test "a training that did not reach its end, and figures of another model, are said" {
    sed -i 's/"value": 0.5, "se": 0.353553/"value": 1.0, "se": 0.0/; s/"n": 2,/"n": 20,/' out/detn.metrics.json
    page out
    grep -q 'ended with an accuracy of 0.500: these figures are of another model' out/report.html
    rm out/detn.ckpt
    page out
    grep -q 'There is no detn.ckpt: this training did not reach its end' out/report.html
}

@test "other names than make's work: a folder of experiments" {
    mkdir try
    cp out/detn.ckpt try/1e-3.ckpt
    cp out/detn.ckpt try/0.01.ckpt
    page try
    grep -q '<a href="#1e-3">1e-3</a>' try/report.html
    grep -q '<section id="0.01">' try/report.html
    # without metrics.json the table of models has what the training measured
    cp out/detn.history.tsv try/0.01.history.tsv
    page try
    grep -q '>0.01</a><td>tiny<td>1<td>4.500<td>0.250<td>–<td>–<td>–' try/report.html
}

@test "every link inside the page has its section, and standard errors are told of where there are some" {
    mkdir try
    cp out/detn.ckpt try/0.01.ckpt
    cp out/detn.history.tsv try/0.01.history.tsv
    for folder in try out; do
        page "$folder"
        # shellcheck disable=SC2013 # anchors have no blanks
        for anchor in $(grep -oE 'href="#[^"]+"' "$folder/report.html" | cut -d '"' -f 2 | sort -u); do
            grep -qF "id=\"${anchor#\#}\"" "$folder/report.html" || { echo "$folder: $anchor leads nowhere"; return 1; }
        done
    done
    grep -q '<a href="#data">' out/report.html
    grep -q '± is one standard error' out/report.html
    run -1 grep -E 'standard error' try/report.html
}

@test "--val names the list that validates" {
    echo 1.jpg >mine.txt
    page --val mine.txt out
    grep -q '4 pictures train, 1 validate' out/report.html
}

@test "--check tells a page from another file and from a part of one" {
    page out
    "$BIN/report" --check out/report.html
    head -c 5000 out/report.html >part
    run -1 "$BIN/report" --check part
    run -1 "$BIN/report" --check out/anno.tsv
    run -1 "$BIN/report" --check missing
}

@test "--help and --version are complete" {
    help_is_complete "$BIN/report"
}

@test "folders without products, and command lines that are wrong, are refused in one line" {
    mkdir empty
    refused 3 '*empty: nothing to report*name the folder of a training*' empty/report.html "$BIN/report" empty
    refused 3 '*nowhere*no such folder*' x "$BIN/report" -o x nowhere
    refused 3 '*nowhere*no such folder*' nowhere "$BIN/report" nowhere
    refused 3 '*out/anno.tsv*' x "$BIN/report" -o x out/anno.tsv
    refused 2 '*too few file names*' x "$BIN/report" -o x
    refused 2 '*one file name too many*' x "$BIN/report" -o x out empty
    refused 4 '*no/x.html*' no/x.html "$BIN/report" -o no/x.html out
}

@test "damaged files are named in one line, and no page is left" {
    damage() { # FILE PATTERN
        cp "out/$1" saved
        cat >"out/$1"
        refused 3 "$2" out/report.html "$BIN/report" out
        cp saved "out/$1"
    }
    echo nonsense | damage anno.tsv '*out/anno.tsv*'
    echo fn,cat | damage lrg.csv '*out/lrg.csv*'
    echo 9.jpg | damage val.txt '*9.jpg*'
    echo '{"n": 1}' | damage detn.metrics.json '*out/detn.metrics.json*'
    printf 'a\tb\n1\n' | damage detn.history.tsv '*out/detn.history.tsv*2*'
    head -c 100 out/detn.grid.png | damage detn.grid.png '*out/detn.grid.png*'
    echo text | damage lr/detn.head.png '*out/lr/detn.head.png*'
    head -c 60 out/detn.0.ckpt | damage detn.ckpt '*out/detn.ckpt*'
    checkpoint plain format other
    damage detn.ckpt '*out/detn.ckpt*no checkpoint of a training*' <plain
    checkpoint plain task detn recipe 'nonsense 5'
    damage detn.ckpt '*out/detn.ckpt*nonsense*' <plain
    page out
}

@test "what a step says at a terminal is in its log too, where the page finds time and memory" {
    stage=$BATS_TEST_DIRNAME/../../scripts/stage
    run -0 script -qec "'$stage' new/largest '$BIN/largest' -o new/largest.tsv out/largest.tsv" /dev/null
    assert_line --partial "largest: 5 pictures"
    assert_equal "$(grep -c '^largest: 5 pictures' new/log/largest.log)" 1
    "$stage" new/largest "$BIN/largest" -o new/largest.tsv out/largest.tsv
    assert_equal "$(grep -c '^largest: 5 pictures' new/log/largest.log)" 1
    run -3 script -qec "'$stage' new/largest '$BIN/largest' -o new/largest.tsv missing" /dev/null
    grep -q '^largest: missing' new/log/largest.log
}

@test "make out/report.html makes all three models first; make report trains nothing" {
    load ../lib/standins.bash
    standin_tree
    run -0 mk report
    assert_equal "$(calls)" "report"
    run -0 mk out/report.html
    assert_equal "$(calls)" "evaluate evaluate evaluate json2anno largest mkcsv predict predict predict\
 render render render render render render report resize-cache train-bbox train-cls train-detn"
    run -0 mk -q out/report.html
    later
    touch out/cls.metrics.json
    run -0 mk out/report.html
    assert_equal "$(calls)" "report"
    later
    echo 'arch resnet18' >>recipes/detn.recipe
    run -0 mk report
    assert_equal "$(calls)" "report"
    assert_equal "$(cat last.report)" "-o out/report.html out"
    echo one >mine.txt
    run -0 mk report VAL=mine.txt
    assert_equal "$(cat last.report)" "--val mine.txt -o out/report.html out"
}

@test "make report comes after the models that the same command makes" {
    load ../lib/standins.bash
    standin_tree
    run -0 mk -j4 report cls
    assert_equal "$(tail -n 1 calls)" report
}
