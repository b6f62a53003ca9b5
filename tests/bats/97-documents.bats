# What README.md and doc/ tell people to type does what they say: every command is run, in order, in a folder like a
# checkout, on small drawn sets with small recipes, and says lines of the form that is shown. Figures are compared where
# that takes seconds, and with out/demo of this checkout where that is there; `make documents` runs everything in full.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..

# A folder with all of a checkout but the sources, so that there is nothing to build, and quick recipes.
checkout() { # FOLDER
    "$root/tests/lib/documents.bash" checkout "$1" "$BIN" || return 1
    mkdir "$1/data"
    cd "$1" || return 1
    sed -i -E 's/^arch .*/arch tiny/; s/^batch .*/batch 16/; s/epochs [0-9]+/epochs 1/
        s/cycles [0-9]+ len [0-9]+/cycles 1 len 1/' \
        recipes/*.recipe recipes/demo/*.recipe
}

# Blocks of the kind WHICH of all documents that show commands, as commands.awk prints them.
shown_blocks() { # WHICH
    awk -v also="$1" -f "$root/tests/lib/commands.awk" "$root"/README.md "$root"/doc/*.md | tr '\0' '\n'
}

@test "every command of the lesson runs and says what is shown, but for figures" {
    checkout "$BATS_TEST_TMPDIR/lesson"
    # fewer pictures, those that are there, and a detector that has learnt next to nothing is to find nothing
    run "$root/tests/lib/documents.bash" form \
        --edit 's/--pictures 4000/--pictures 160/; s/003752/0000/; s/--all --ckpt/--all --min 0.9 --ckpt/' \
        . "$root"/doc/lesson{,-2}.md
    assert_success
    # and leaves what the text tells people to open
    # shellcheck disable=SC2016
    while read -r picture; do
        [ -s "$picture" ] || {
            echo "the lesson speaks of $picture, which is not there"
            return 1
        }
    done < <(grep -oh '`out/lesson/[^`]*\.\(png\|jpg\)`' "$root"/doc/lesson{,-2}.md | tr -d '`' | sort -u)
}

@test "the lesson's figures up to the first training are those of today" {
    checkout "$BATS_TEST_TMPDIR/figures"
    run "$root/tests/lib/documents.bash" check --before train- . "$root/doc/lesson.md"
    assert_success
}

# What the documents take for granted: VOC 2007 (image 17 with two objects of different classes), ImageNet weights,
# and a folder of somebody's photos.
belongings() {
    local xml number
    "$BIN/draw-set" --pictures 80 --seed 13 -o data/VOC2007
    mkdir data/VOC2007/annotations
    "$BIN/voc2json" -o data/VOC2007/annotations/pascal_train2007.json data/VOC2007
    "$BIN/draw-set" --pictures 40 --seed 4 -o drawn
    mkdir -p mypets/Annotations mypets/JPEGImages
    for xml in drawn/Annotations/*.xml; do
        number=$(basename "$xml" .xml)
        mv "drawn/JPEGImages/$number.jpg" "mypets/JPEGImages/IMG_${number#00}.jpg"
        sed "s/$number.jpg/IMG_${number#00}.jpg/" "$xml" >"mypets/Annotations/IMG_${number#00}.xml"
    done
    # any network of the recipes' form will do as ImageNet's
    make --no-print-directory OUT=first BIN=bin WEIGHTS=none first/cls.ckpt TRAINFLAGS='--until head'
    mv first/cls.ckpt data/resnet34.safetensors
    rm -r first # or its cache would be shared
}

@test "every command of README.md and doc/ that is shown with its output runs and says what is shown" {
    checkout "$BATS_TEST_TMPDIR/readme"
    belongings >log 2>&1 || {
        cat log
        return 1
    }
    run "$root/tests/lib/documents.bash" form --edit 's/^make demo$/make demo DEMO_PICTURES=160/' . \
        "$root"/doc/{published-run,own-pictures,make}.md "$root/README.md" "$root"/doc/{files,experiments}.md
    assert_success
    assert_line --regexp 'published-run.md: [1-9]'
    assert_line --regexp 'README.md: [1-9]'
}

@test "commands that the documents only name are few, and tested elsewhere" {
    while IFS= read -r command; do
        case $command in
        make | 'make check' | 'make data' | 'make detn' | 'make report') ;;
        'apt-get update && apt-get install -y make && make demo') ;;
        *)
            echo "no test is known for: $command"
            return 1
            ;;
        esac
    done < <(shown_blocks sh)
}

@test "every document with commands is among those that are run" {
    for document in "$root"/doc/*.md; do
        grep -q '^```console' "$document" || continue
        case ${document##*/} in
        lesson.md | lesson-2.md | published-run.md | own-pictures.md | make.md | files.md | experiments.md) ;;
        *)
            echo "$document has commands and no test"
            return 1
            ;;
        esac
    done
}

# ---------------------------------------------------------------- figures

# quote DOCUMENT REGEX SOURCE REGEX: the numbers that the groups of the two regular expressions find are equal, as far
# as the document's has digits.
quote() {
    local said found
    local from=$3
    [[ $from == /* ]] || from=$root/$from
    said=$(sed -nE "s/.*$2.*/\1/p" "$root/$1" | head -n 1)
    found=$(sed -nE "s/.*$4.*/\1/p" "$from" | head -n 1)
    if [ -z "$said" ] || [ -z "$found" ]; then
        echo "$1: no '$2' ('$said'), or $3: no '$4' ('$found')"
        return 1
    fi
    awk -v a="$said" -v b="$found" 'BEGIN { digits = index(a, ".") ? length(a) - index(a, ".") : 0
        d = a - b; exit !((d < 0 ? -d : d) <= 0.5001 * 10 ^ -digits) }' || {
        echo "$1 says $said, $3 shows $found ($2)"
        return 1
    }
}

# The last rows of the demo's trainings in a document.
last_rows() { # NAME
    awk '/^ +(23|29) +[0-9.]+ / { $1 = $1; print }' "$root/doc/$1.md"
}

@test "figures in sentences and tables are those of the outputs shown" {
    local sure='^class accuracy +([0-9.]+).*'
    # the lesson: accuracies of detector and classifier, the lowest loss
    quote doc/lesson.md 'Its accuracy is ([0-9.]+),' doc/lesson.md '^ +29 +[0-9.]+ +[0-9.]+ +([0-9.]+) .*'
    quote doc/lesson.md "the classifier's was ([0-9.]+)\." doc/lesson.md '^ +23 +[0-9.]+ +[0-9.]+ +([0-9.]+) *$'
    quote doc/lesson.md 'The loss is lowest at ([0-9.]+),' doc/lesson.md '^rates .* at ([0-9.]+)$'
    # VOC: the table of all three, and README's
    quote doc/published-run.md '^\| `make out\/cls.ckpt.*accuracy ([0-9.]+).*' doc/published-run.md "$sure"
    quote doc/published-run.md '^\| `make out\/cls.ckpt.*val_loss ([0-9.]+).*' doc/published-run.md \
        '^ +1 +0.53[0-9.]+ +([0-9.]+) .*'
    quote doc/published-run.md '^\| `make out\/detn.ckpt.*L1 ([0-9.]+).*' doc/published-run.md \
        '^L1 in the 224 frame +([0-9.]+).*'
    quote README.md '^\| classifier: accuracy \| ([0-9.]+).*' doc/published-run.md \
        '^\| `make out\/cls.ckpt.*accuracy ([0-9.]+).*'
    quote README.md '^\| detector: accuracy \| ([0-9.]+).*' doc/published-run.md \
        '^\| `make out\/detn.ckpt.*accuracy ([0-9.]+).*'
    quote README.md '^\| regressor: [^|]*\| ([0-9.]+).*' doc/published-run.md \
        '^\| `make out\/bbox.ckpt.*val_loss ([0-9.]+).*'
    quote README.md '^\| detector: pixels[^|]*\| ([0-9.]+).*' doc/published-run.md \
        '^\| `make out\/detn.ckpt.*L1 ([0-9.]+).*'
    # the demo: the table of README.md, the rows in doc/make.md, the lesson's, which are the same trainings
    quote README.md 'cls .*object\? +([0-9.]+) %.*' <(awk '/^ +23 / { print 100 * $4; exit }' "$root/doc/lesson.md") \
        '^([0-9.]+)$'
    quote README.md 'detn .*network +([0-9.]+) %.*' <(awk '/^ +29 / { print 100 * $4 }' "$root/doc/lesson.md") \
        '^([0-9.]+)$'
    quote README.md 'detn .* % +([0-9.]+) px.*' doc/lesson.md '^L1 in the 96 frame +([0-9.]{4,}) .*'
    quote README.md 'bbox .* - +([0-9.]+) px.*' <(awk '/^ +23 / && NF == 3 { print $3 }' "$root/doc/make.md") \
        '^([0-9.]+)$'
    run -0 diff <(last_rows make) <(last_rows lesson)
}

# The rows of README's table TITLE, as numbers one a line.
numbers_of() { # DOCUMENT FIRST-CELL-OF-ITS-ROWS
    sed -n "/^| $2 |/p" "$root/$1" | cut -d '|' -f 3- | grep -oE '[0-9]+(\.[0-9]+)?'
}

# The figure WHICH of the FIGURES that each run of MODEL has in SPEED.md's table of whole recipes.
of_runs() { # MODEL FIGURES WHICH
    sed -nE "/^\| $1 \| .*GiB/ { s/[0-9.]+ GiB//g; p; q }" "$root/SPEED.md" | grep -oE '[0-9]+\.[0-9]+' |
        awk -v figures="$2" -v which="$3" '(NR - which) % figures == 0'
}

@test "README.md's tables of speed and accuracy are those of SPEED.md" {
    local pair row model
    # evaluation, then the phases: fp32, PyTorch's, bf16, PyTorch's
    for pair in 'evaluation:evaluation' 'training the head:train head' 'training from layer3 on:train top' \
        'training all layers:train all'; do
        assert_equal "$(numbers_of README.md "${pair%%:*}" | xargs)" \
            "$(numbers_of SPEED.md "${pair#*:}" | head -n 7 | sed -n '1,2p;4,5p' | xargs)"
    done
    # bf16, fp32, PyTorch's two runs
    while read -r model row; do
        assert_equal "$(wc -w <<<"$row")" 4
        # shellcheck disable=SC2086 # a model, how many figures a run has, which one
        assert_equal "$row" "$(of_runs ${model//:/ } | xargs)"
    done < <(sed -nE 's/^\| classifier: accuracy \|/cls:2:2/p; s/^\| regressor: pixels[^|]*\|/bbox:1:1/p
        s/^\| detector: accuracy \|/detn:3:2/p; s/^\| detector: pixels[^|]*\|/detn:3:3/p' "$root/README.md" |
        tr -d '|,' | tr -s ' ' | tee "$BATS_TEST_TMPDIR/rows")
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/rows")" 4
}

@test "the demo's figures are those of out/demo, where it is there" {
    local out=$root/out/demo model metric said now
    [ -s "$out/report.html" ] || skip "no out/demo here: make demo"
    grep -qx 'DEMO_PICTURES=4000' "$out/config.mk" && grep -qx 'DEMO_SEED=1' "$out/config.mk" ||
        skip "out/demo has other settings than README's"
    # share of the right class, in percent, and the distance of a side: within 3 and within a tenth
    while read -r model metric said spread; do
        now=$(sed -n "s/^  \"$metric\": {\"value\": \([0-9.]*\),.*/\1/p" "$out/$model.metrics.json")
        awk -v now="$now" -v said="$said" -v spread="$spread" \
            'BEGIN { d = now - said; exit !(now != "" && (d < 0 ? -d : d) <= spread) }' || {
            echo "README.md says $said of $model's $metric, out/demo $now"
            return 1
        }
    done < <(sed -nE 's/^cls .* ([0-9.]+) %.*/cls accuracy \1/p
        s/^bbox .* ([0-9.]+) px +([0-9.]+) .*/bbox l1 \1\nbbox mean_iou \2/p
        s/^detn .* ([0-9.]+) % +([0-9.]+) px +([0-9.]+) .*/detn accuracy \1\ndetn l1 \2\ndetn mean_iou \3/p
        s/^(objects) .* ([0-9.]+) % +([0-9.]+) px +([0-9.]+) .*/\1 accuracy \2\n\1 l1 \3\n\1 mean_iou \4/p' \
        "$root/README.md" | awk '$2 == "accuracy" { print $1, $2, $3 / 100, 0.03 }
            $2 == "l1" { print $0, 0.1 * $3 }
            $2 == "mean_iou" { print $0, 0.03 }')
}

# ---------------------------------------------------------------- the tool

@test "the folder in which documents.bash runs commands has the programs as they are, and nothing to build" {
    "$root/tests/lib/documents.bash" checkout "$BATS_TEST_TMPDIR/like" "$BIN"
    cd "$BATS_TEST_TMPDIR/like" || return 1
    run -0 env -i PATH="$PATH" make -q all
    assert_output ""
}

@test "documents.bash tells what is shown and not said, and writes what is said" {
    local line='train-cls: tiny on cpu: kernels none, 1 threads, conv direct, fp32'
    cd "$BATS_TEST_TMPDIR" || return 1
    # shellcheck disable=SC2016
    printf '%s\n' text '```console' '$ cat said' "$line" \
        '    0      1.25     0.5' … '    9      0.125    0.75' 'took 0:12' '```' >document.md
    printf '%s\n' "$line" 'all epoch 1 3/4  loss 0.5  ' \
        '    0      1.25     0.5' '    1      1.0      0.6' '    9      0.125    0.75  ' 'took 0:34' >said
    run -0 "$root/tests/lib/documents.bash" check . document.md
    # a figure that differs, on the same kind of processor and on another one
    sed -i 's/0\.75/0.79/' said
    run -1 "$root/tests/lib/documents.bash" check . document.md
    assert_line --partial 'document.md:7: shown:     9      0.125    0.75'
    sed -i 's/kernels none/kernels other/' said
    run -0 "$root/tests/lib/documents.bash" check . document.md
    run -0 "$root/tests/lib/documents.bash" form . document.md
    sed -i 's/0\.79/0.19/' said
    run -1 "$root/tests/lib/documents.bash" check . document.md
    assert_line --partial 'document.md:7: shown'
    # another text
    sed -i 's/took/lasted/' said
    run -1 "$root/tests/lib/documents.bash" form . document.md
    assert_line --partial 'document.md:8: shown: took'
    run -0 "$root/tests/lib/documents.bash" write . document.md
    run -0 "$root/tests/lib/documents.bash" check . document.md
    run -0 sed -n 5,8p document.md
    assert_output $'    0      1.25     0.5\n…\n    9      0.125    0.19\nlasted 0:34'
}

# ---------------------------------------------------------------- README

@test "README.md: at most 220 lines, in the order of a newcomer's questions" {
    [ "$(wc -l <"$root/README.md")" -le 220 ]
    run sed -n 's/^## //p' "$root/README.md"
    assert_output "Two commands
What the demo shows
Your own pictures
PASCAL VOC 2007
The programs
How fast
How accurate
Limits
Where to read on"
}

@test "README.md's picture is there, and at most 150 KB" {
    local picture
    for picture in "$root"/doc/img/*; do
        [ "$(head -c 8 "$picture" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]
        [ "$(wc -c <"$picture")" -le 153600 ]
    done
    while read -r picture; do
        [ -s "$root/$picture" ]
    done < <(grep -oh '](doc/img/[^)]*)' "$root"/README*.md | tr -d ']()')
}

@test "links between documents lead to files" {
    local document link
    for document in "$root"/*.md "$root"/doc/*.md; do
        while read -r link; do
            case $link in http*) continue ;; esac
            [ -e "$(dirname "$document")/${link%%#*}" ] || {
                echo "$document: $link"
                return 1
            }
        done < <(grep -oE '\]\([^)#]+' "$document" | cut -c 3-)
    done
}

# ---------------------------------------------------------------- manual pages

# The words that the recipe reader knows where it finds this unknown one.
known() { # --set VALUE
    "$BIN/train-cls" --print-recipe --recipe "$root/recipes/demo/cls.recipe" --set "$1" 2>&1 |
        sed -n 's/.*(known: //; T; s/).*//; s/,/ /g; p'
}

@test "onebox-recipe(5) has every word that the reader of recipes knows, and its examples are recipes" {
    local word
    cd "$root" || return 1
    "$BIN/train-cls" --help-recipe >"$BATS_TEST_TMPDIR/recipe.words"
    run -0 awk -f "$root/scripts/man.awk" "$BATS_TEST_TMPDIR/recipe.words" man/onebox-recipe.5
    page=${output//\\-/-}
    [[ $page != *@RECIPE@* ]]
    for setting in zzzzzzzzzz=1 phase.all.zzzzzzzzzz=1 augment.zzzzzzzzzz=1 arch=zzzzzzzzzz precision=zzzzzzzzzz \
        phase.all.from=zzzzzzzzzz; do
        known=$(known "$setting")
        [ "$(wc -w <<<"$known")" -ge 3 ]
        for word in $known; do
            [[ $page == *[^a-z]"$word"[^a-z]* ]] || {
                echo "man/onebox-recipe.5 does not have the word $word"
                return 1
            }
        done
    done
    sed -n '/^  arch/,/^\.EE/p' <<<"$page" | sed '/^\.EE/d' >"$BATS_TEST_TMPDIR/example.recipe"
    run -0 "$BIN/train-detn" --print-recipe --recipe "$BATS_TEST_TMPDIR/example.recipe"
    assert_line 'phase all from conv1 lr 1e-05 0.0001 0.001 triangular 32 10 epochs 10'
}

@test "onebox-formats(5) shows the columns that the programs write" {
    mkdir -p "$BATS_TEST_TMPDIR/set" && cd "$BATS_TEST_TMPDIR/set" || return 1
    "$BIN/draw-set" --pictures 2 --seed 1 -o voc
    "$BIN/voc2json" -o voc.json voc
    columns=$("$BIN/json2anno" -o - voc.json | head -n 1 | tr '\t' ' ')
    cd "$root" || return 1
    run -0 awk -f scripts/man.awk common/voc/anno.h common/nn/history.h man/onebox-formats.5
    assert_line "  $columns"
    refute_output --regexp '@(ANNO|HISTORY|BATCHES|LR_FIND)@'
}

# ---------------------------------------------------------------- doc/hacking.md

@test "every test that doc/promises.md names exists, in the file that it says" {
    local file name count=0
    while read -r file name; do
        grep -qF "$name" "$root"/tests/bats/"$file".bats "$root"/tests/unit/"$file".c 2>/dev/null || {
            echo "$file has no test \"$name\""
            return 1
        }
        count=$((count + 1))
    done < <(awk -F '|' '/^\| / && !/^\| what/ {
        while (match($4, /([a-z0-9_-]+): |"[^"]*"/)) {
            part = substr($4, RSTART, RLENGTH)
            $4 = substr($4, RSTART + RLENGTH)
            if (part ~ /^"/) print file, part
            else file = substr(part, 1, RLENGTH - 2)
        }
    }' "$root/doc/promises.md" | tr -d '"')
    [ "$count" -ge 15 ]
}

@test "every file and every function that doc/hacking.md names exists" {
    local path name missing=''
    cd "$root" || return 1
    while read -r path; do
        case $path in *NN-NAME* | stages/NAME.c) continue ;; esac
        [ -e "$path" ] || missing="$missing $path"
    done < <(grep -oE '(^|[ `(])(common|tests|stages|scripts|man|recipes|doc)/[A-Za-z0-9_./-]*[A-Za-z0-9]' \
        doc/hacking.md |
        sed 's/^[ `(]//' | sort -u)
    # shellcheck disable=SC2016
    while read -r name; do
        grep -qE "^[a-z].*[ *]$name\(" common/*/*.c stages/*.c tests/unit/*.[ch] ||
            missing="$missing $name()"
    done < <(grep -oE '`[a-z_0-9]+\(\)`' doc/hacking.md | tr -d '`()' | sort -u)
    assert_equal "$missing" ""
}

@test "doc/hacking.md has every room" {
    while read -r room _; do
        grep -q "^| $room |" "$root/doc/hacking.md" || {
            echo "doc/hacking.md lacks $room"
            return 1
        }
    done < <(grep -v '^#' "$root/tests/lib/rooms")
}

# Complains unless FILE defines the function NAME(), or else has the text NAME.
has() { # FILE NAME
    case $2 in
    *'()') grep -qE "^[a-z].*[ *]${2%()}\(([^;]*|.*[^;])$" "$1" ;;
    *) grep -qF -- "$2" "$1" ;;
    esac || {
        echo "doc/hacking.md: $1 has no $2"
        return 1
    }
}

# A name in the table stands behind its file; words in front of the first file of a row are none of it.
# shellcheck disable=SC2016
@test "doc/hacking.md's files have the functions and words that it says decide" {
    local file token checked=0
    cd "$root" || return 1
    while IFS= read -r token; do
        case $token in
        '|') file='' ;;
        '`'*)
            has "$file" "$(tr -d '`' <<<"$token")"
            checked=$((checked + 1))
            ;;
        *) file=$token ;;
        esac
    done < <(sed -n '/^## Which line decides/,/^## To add/p' doc/hacking.md | grep '^| [a-z]' |
        sed -E 's/^\| [^|]*//; s/`(main|e->code|--check|best)`//g' |
        grep -oE '^\||`[^`]+`|(common|scripts)/[a-z_/-]+\.(c|h|mk)|pipeline\.mk')
    [ "$checked" -ge 20 ]
}

# A list of functions is followed by their file in parentheses.
# shellcheck disable=SC2016
@test "doc/hacking.md's way of a picture and a box names the file of each function" {
    local token name checked=0 waiting=()
    cd "$root" || return 1
    while IFS= read -r token; do
        case $token in
        '`'*) waiting+=("$(tr -d '`' <<<"$token")") ;;
        *)
            for name in "${waiting[@]}"; do
                has "common/$(tr -d '()' <<<"$token")" "$name"
                checked=$((checked + 1))
            done
            waiting=()
            ;;
        esac
    done < <(sed -n '/^## One picture and one box/,/^## The three/p' doc/hacking.md |
        grep -oE '`[a-z_0-9]+\(\)`|\([a-z]+/[a-z_]+\.c\)')
    [ "${#waiting[@]}" -eq 0 ]
    [ "$checked" -ge 30 ]
}

# ---------------------------------------------------------------- README.zh-CN.md

# What both pages must have alike: commands with what they say, numbers of tables, links, and inline code.
# shellcheck disable=SC2016
skeleton() { # DOCUMENT
    awk '/^```/ { block = !block } block || /^```/' "$1"
    grep '^|' "$1" | grep -oE '[0-9]+(\.[0-9]+)?'
    grep -oE '\]\([^)]*\)' "$1" | grep -v README
    grep -oE '^#+ |^\* ' "$1"
    awk '/^```/ { block = !block } !block' "$1" | grep -oE '`[^`]*`' | sort
    awk '/^```/ { block = !block } !block && !/^\|/' "$1" | grep -oE '[0-9]+\.[0-9]+|[0-9]{3,}' | sort
}

@test "README.zh-CN.md has README.md's commands, figures, links and parts" {
    run -0 diff <(skeleton "$root/README.md") <(skeleton "$root/README.zh-CN.md")
}
