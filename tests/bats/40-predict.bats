#!/usr/bin/env bats
# predict, on the little set of shapes.
# shellcheck disable=SC2154 # shapes and stderr are set by shapes.bash and bats

load ../lib/shapes.bash

setup_file() {
    shapes_cache
    cd "$BATS_FILE_TMPDIR" || return 1
    train detn --weights none --epochs 2 -o detn.ckpt
    train cls --weights none --epochs 1 -o cls.ckpt
    train bbox --weights none --epochs 1 -o bbox.ckpt
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    in=$BATS_FILE_TMPDIR
}

# refused CODE PATTERN OPTION...
refused() {
    local code=$1 pattern=$2
    shift 2
    run "$BIN/predict" -o x.tsv "$@"
    assert_failure "$code"
    assert_equal "${#lines[@]}" 1
    assert_line --regexp "^predict: .*$pattern"
    assert [ ! -e x.tsv ]
    assert_equal "$(compgen -G '*.tmp.*')" ""
}

# same_rows A B: the same pictures and classes; numbers may differ in their last digit, since a batch of another size
# may add in another order.
same_rows() {
    paste "$1" "$2" | awk -F '\t' 'NR > 1 { if ($1 != $8 || $2 != $9) exit 1
        for (i = 3; i <= 7; i++) if (($i - $(i + 7))^2 > 1e-3) exit 1 } END { if (NR < 2) exit 1 }'
}

@test "--flip averages with the mirrored picture, which so gets the mirrored answer" {
    # exif2.jpg is exif1.jpg with a mark that turns it into its mirror
    cp "$BATS_TEST_DIRNAME"/../golden/image/exif[12].jpg .
    for task in cls bbox detn; do
        "$BIN/predict" --ckpt "$in/$task.ckpt" --frame 64 exif1.jpg exif2.jpg -o plain.tsv
        "$BIN/predict" --ckpt "$in/$task.ckpt" --frame 64 --flip exif1.jpg exif2.jpg -o flip.tsv
        paste <(sed 1d plain.tsv) <(sed 1d flip.tsv) >both.tsv
        awk -F '\t' -v task=$task '
            { for (i = 3; i <= 11; i++) { plain[NR, i] = $i; flip[NR, i] = $(i + 11) } }
            function far(a, b) { return (a - b) ^ 2 > 4e-4 }
            function wrong(what, a, b) { print task, what, a, b; bad = 1 }
            END {
                if (task != "bbox" && far(flip[1, 3], flip[2, 3]))
                    wrong("probability", flip[1, 3], flip[2, 3])
                if (task == "cls")
                    exit bad
                for (i = 8; i <= 11; i++) {
                    other = i == 9 ? 11 : i == 11 ? 9 : i
                    turned = i % 2 ? 63 - plain[2, other] : plain[2, i]
                    if (far(flip[1, i], (plain[1, i] + turned) / 2))
                        wrong("average " i, flip[1, i], (plain[1, i] + turned) / 2)
                    if (far(flip[2, other], i % 2 ? 63 - flip[1, i] : flip[1, i]))
                        wrong("mirror " i, flip[2, other], flip[1, i])
                }
                exit bad
            }' both.tsv
        ! cmp -s plain.tsv flip.tsv || false
    done
}

@test "all pictures of a cache, or those of a list, in order" {
    run "$BIN/predict" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" -o all.tsv
    assert_success
    assert_equal "$(head -1 all.tsv)" "$(printf 'file_name\tcategory\tprobability\ty1\tx1\ty2\tx2')"
    assert_equal "$(column all.tsv file_name | wc -l)" 60
    "$BIN/predict" --check all.tsv
    "$BIN/predict" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" --only "$shapes/val.txt" -o val.tsv
    sed 's,.png$,, ; s,^,C:\\set\\,' "$shapes/val.txt" >spelled.txt
    "$BIN/predict" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" --only spelled.txt -o spelled.tsv
    cmp val.tsv spelled.tsv
    cmp <(column val.tsv file_name) "$shapes/val.txt"
    same_rows val.tsv <(head -1 all.tsv; grep -Ff "$shapes/val.txt" all.tsv)
}

@test "boxes are inside the picture, ordered, with two decimals; probabilities have six" {
    "$BIN/predict" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" -o all.tsv
    awk -F '\t' 'NR > 1 && !($4 >= 0 && $4 <= $6 && $6 <= 95 && $5 >= 0 && $5 <= $7 && $7 <= 95 &&
        $4 ~ /\.[0-9][0-9]$/ && $3 ~ /^[01]\.[0-9][0-9][0-9][0-9][0-9][0-9]$/ &&
        $2 ~ /^(disc|square|triangle)$/) { exit 1 }' all.tsv
}

@test "a picture file gives what its row in the cache gives, in any number of threads" {
    "$BIN/predict" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" -o cache.tsv
    "$BIN/predict" --ckpt "$in/detn.ckpt" -o folder.tsv "$shapes"
    cmp cache.tsv folder.tsv
    "$BIN/predict" --ckpt "$in/detn.ckpt" --threads 1 -o one.tsv "$shapes"
    cmp <(cut -f 1-2 cache.tsv) <(cut -f 1-2 one.tsv)
    "$BIN/predict" --ckpt "$in/detn.ckpt" "$shapes/000007.png" "$shapes/000010.jpg" >two.tsv
    assert_equal "$(column two.tsv file_name | xargs)" "000007.png 000010.jpg"
    same_rows <(grep -e file_name -e 000007 -e 000010 cache.tsv) two.tsv
}

@test "no label file is needed, and batches of any size give the same rows" {
    "$BIN/predict" --ckpt "$in/detn.ckpt" --batch 64 -o a.tsv "$shapes"
    "$BIN/predict" --ckpt "$in/detn.ckpt" --batch 7 -o b.tsv "$shapes"
    same_rows a.tsv b.tsv
}

@test "what a model does not predict is shown as '-'" {
    "$BIN/predict" --ckpt "$in/cls.ckpt" "$shapes/000001.png" -o c.tsv
    assert_equal "$(tail -1 c.tsv | cut -f 4-)" "$(printf -- '-\t-\t-\t-')"
    "$BIN/predict" --ckpt "$in/bbox.ckpt" "$shapes/000001.png" -o b.tsv
    assert_equal "$(tail -1 b.tsv | cut -f 2,3)" "$(printf -- '-\t-')"
    "$BIN/predict" --check b.tsv
    "$BIN/predict" --check c.tsv
}

@test "--top adds the most probable classes, best first; they sum to one" {
    "$BIN/predict" --ckpt "$in/detn.ckpt" --top 3 "$shapes/000001.png" "$shapes/000002.png" -o t.tsv
    assert_equal "$(head -1 t.tsv | cut -f 8-)" \
        "$(printf 'category_1\tprobability_1\tcategory_2\tprobability_2\tcategory_3\tprobability_3')"
    awk -F '\t' \
        'NR > 1 && !($2 == $8 && $3 == $9 && $9 >= $11 && $11 >= $13 && ($9 + $11 + $13 - 1)^2 < 1e-9) { exit 1 }' t.tsv
    "$BIN/predict" --check t.tsv
}

@test "--frame adds the box in the network's frame" {
    "$BIN/predict" --ckpt "$in/detn.ckpt" --frame 64 "$shapes/000001.png" -o f.tsv
    assert_equal "$(head -1 f.tsv | cut -f 8-)" "$(printf 'y1_64\tx1_64\ty2_64\tx2_64')"
    # 80 x 96 is squashed to 64 x 64: a row is 1.25 frame rows, a column 1.5 frame columns, but for a few pixels
    awk -F '\t' 'NR == 2 && !(($4 - 1.25 * $8)^2 < 25 && ($7 - 1.5 * $11)^2 < 25) { exit 1 }' f.tsv
    "$BIN/predict" --check f.tsv
}

@test "--save-pictures draws each prediction under the picture's name" {
    "$BIN/predict" --ckpt "$in/detn.ckpt" --save-pictures seen "$shapes/000009.png" "$shapes/000010.jpg" -o p.tsv
    assert_equal "$(cd seen && echo *)" "000009.png 000010.jpg"
    assert_equal "$(head -c 4 seen/000009.png | tail -c 3)" "PNG"
    run cmp -s seen/000009.png "$shapes/000009.png"
    assert_failure 1
    "$BIN/predict" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" --only <(echo 000009.png) --save-pictures c \
        -o c.tsv
    assert [ -s c/000009.png ]
}

@test "a drawing is of the kind that its name says, whatever the picture is called" {
    cp "$shapes/000010.jpg" x.gif
    cp "$shapes/000010.jpg" photo
    "$BIN/predict" --ckpt "$in/detn.ckpt" --save-pictures seen x.gif photo -o p.tsv
    assert_equal "$(column p.tsv file_name | xargs)" "x.gif photo"
    assert_equal "$(cd seen && echo *)" "photo.png x.gif.png"
    for name in photo x.gif; do
        assert_equal "$(head -c 4 "seen/$name.png" | tail -c 3)" "PNG"
    done
}

@test "a picture is never overwritten by its own drawing" {
    cp "$shapes/000009.png" .
    run "$BIN/predict" --ckpt "$in/detn.ckpt" --save-pictures . 000009.png -o p.tsv
    assert_failure 2
    cmp 000009.png "$shapes/000009.png"
    assert [ ! -e p.tsv ]
}

@test "an unreadable picture stops the run, unless --max-bad lets it pass by name" {
    cp "$shapes/000001.png" "$shapes/000002.png" .
    head -c 120 "$shapes/000003.png" >000003.png
    refused 3 "000003.png" --ckpt "$in/detn.ckpt" .
    run "$BIN/predict" --ckpt "$in/detn.ckpt" --max-bad 1 -o p.tsv .
    assert_success
    assert_line --regexp "000003.png.*left out"
    assert_equal "$(column p.tsv file_name | xargs)" "000001.png 000002.png"
}

@test "which unreadable picture is one too many goes by the list, not by the threads" {
    "$BIN/draw-set" --pictures 9 -o in.set >/dev/null 2>&1
    large=$(find in.set/JPEGImages -name "*.jpg" -printf "%s %p\n" | sort -n | tail -n 1 | cut -d " " -f 2)
    # The first takes long to be found damaged, the others no time.
    head -c $(($(stat -c %s "$large") * 9 / 10)) "$large" >a.jpg
    printf 'x' >b.jpg
    printf 'x' >c.jpg
    for threads in 1 2 4; do
        run "$BIN/predict" --ckpt "$in/detn.ckpt" --max-bad 1 --threads $threads a.jpg b.jpg c.jpg
        assert_failure 3
        assert_regex "$output" "predict: a.jpg: .*; left out"
        assert_regex "$output" "predict: b.jpg: [^;]*$"
    done
}

@test "a file that is no picture is refused" {
    printf 'x' >no.png
    refused 3 "no.png" --ckpt "$in/detn.ckpt" no.png
}

# names OPERAND...: the names that pictures get.
names() {
    "$BIN/predict" --ckpt "$in/detn.ckpt" -o names.tsv "$@"
    "$BIN/predict" --check names.tsv
    column names.tsv file_name | xargs
}

@test "pictures in folders of a folder are named by their path in it; what begins with a dot is no picture" {
    mkdir -p p/cam0 p/cam1/deep p/.trash
    cp "$shapes/000001.png" p/cam0/a.png
    cp "$shapes/000002.png" p/cam1/a.png
    cp "$shapes/000010.jpg" p/cam1/deep/a.JPG
    cp "$shapes/000003.png" p/-
    cp "$shapes/000003.png" p/.trash/b.png
    printf '\0\5\26\7\0\2\0\0Mac OS X' | tee p/._a.png p/cam0/._a.png >p/.png
    assert_equal "$(names p)" "cam0/a.png cam1/a.png cam1/deep/a.JPG"
    assert_equal "$(names p/)" "cam0/a.png cam1/a.png cam1/deep/a.JPG"
    assert_equal "$(cd p && names cam1 -)" "a.png deep/a.JPG -"
    "$BIN/predict" --ckpt "$in/detn.ckpt" --save-pictures p/seen -o first.tsv p
    assert_equal "$(cd p/seen && find . -type f | sort | xargs)" "./cam0/a.png ./cam1/a.png ./cam1/deep/a.JPG"
    run cmp -s p/seen/cam0/a.png p/seen/cam1/a.png
    assert_failure 1
    # the drawings are no pictures for the next run
    "$BIN/predict" --ckpt "$in/detn.ckpt" --save-pictures p/seen -o second.tsv p
    cmp first.tsv second.tsv
}

@test "pictures of the same name are told apart by the folders before it" {
    mkdir -p a/s b/s c
    cp "$shapes/000001.png" a/x.png
    cp "$shapes/000002.png" b/x.png
    cp "$shapes/000003.png" a/s/x.png
    cp "$shapes/000004.png" b/s/x.png
    cp "$shapes/000005.png" c/y.png
    assert_equal "$(names a/x.png b/x.png c/y.png)" "a/x.png b/x.png y.png"
    assert_equal "$(names "$PWD/b/s/x.png" a/s/../s/x.png)" "b/s/x.png a/s/x.png"
    assert_equal "$(names a b)" "a/s/x.png a/x.png b/s/x.png b/x.png"
    assert_equal "$(cd a/s && names x.png ../x.png ../../b/s/x.png)" "a/s/x.png a/x.png b/s/x.png"
    assert_equal "$(names a c/y.png)" "s/x.png x.png y.png"
    # each has its own prediction
    "$BIN/predict" --ckpt "$in/detn.ckpt" -o own.tsv a/x.png
    "$BIN/predict" --ckpt "$in/detn.ckpt" -o all.tsv b/x.png a/x.png
    same_rows <(sed 's,^x.png,a/x.png,' own.tsv) <(sed 2d all.tsv)
    ln -s a again
    refused 3 "again/x.png: is the same picture as a/x.png" --ckpt "$in/detn.ckpt" a/x.png again/x.png
}

@test "a network that gives no numbers is noticed" {
    cp "$in/detn.ckpt" bad.ckpt
    for tensor in head.5.weight head.7.weight; do
        poison bad.ckpt $tensor '\377\377\177\177' # the largest float
    done
    refused 3 "output for .* is not a finite number" --ckpt bad.ckpt "$shapes"
}

@test "wrong combinations and missing things are refused with one line" {
    printf '' >empty
    head -c 1000 "$in/detn.ckpt" >short
    mkdir folder
    printf 'ghost.png\n' >ghosts
    refused 2 "no pictures" --ckpt "$in/detn.ckpt"
    refused 2 "not from both" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" a.png
    refused 2 "--only" --ckpt "$in/detn.ckpt" --only ghosts a.png
    refused 2 "--frame 224" --ckpt "$in/detn.ckpt" --frame 224 "$shapes"
    refused 2 "--top 4" --ckpt "$in/detn.ckpt" --top 4 "$shapes"
    refused 2 "--top 1" --ckpt "$in/bbox.ckpt" --top 1 "$shapes"
    refused 3 "none.ckpt" --ckpt none.ckpt "$shapes"
    refused 3 "empty" --ckpt empty "$shapes"
    refused 3 "short" --ckpt short "$shapes"
    refused 3 "none.png: cannot open" --ckpt "$in/detn.ckpt" none.png
    refused 3 "folder: no .jpg" --ckpt "$in/detn.ckpt" folder
    refused 3 "ghost.png" --ckpt "$in/detn.ckpt" --cache "$in/shapes.cache" --only ghosts
    cp "$in/shapes.cache" in.cache
    printf '\x5a\xa5\x5a' | dd of=in.cache bs=1 seek=3000 conv=notrunc status=none
    refused 3 "in.cache: the pixels of 0.*png are damaged" --ckpt "$in/detn.ckpt" --cache in.cache
    refused 3 "empty" --ckpt "$in/detn.ckpt" --cache empty
    refused 3 "is the same picture as" --ckpt "$in/detn.ckpt" "$shapes/000001.png" "$shapes/../shapes/000001.png"
}

@test "the table goes to standard output when nothing else is said, and --check tells good from bad" {
    run --separate-stderr "$BIN/predict" --ckpt "$in/detn.ckpt" "$shapes/000001.png"
    assert_success
    assert_equal "${#lines[@]}" 2
    printf 'nonsense\n' >bad.tsv
    run "$BIN/predict" --check bad.tsv
    assert_failure 1
    assert_output ""
}

@test "predict has --help and --version" {
    run "$BIN/predict" --help
    assert_success
    assert_output --partial "EXAMPLES"
    run "$BIN/predict" --version
    assert_success
    assert_output --partial "oneDNN"
    assert_output --partial "libjpeg"
}
