# What README.md and doc/lesson.md tell people to type does what they say: every command is run, in order, in a folder
# like a checkout, on small drawn sets with small recipes.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..

# A folder with all of a checkout but the sources, so that there is nothing to build, and quick recipes.
checkout() { # FOLDER
    mkdir -p "$1/data" "$1/out"
    cp -r "$root/Makefile" "$root/pipeline.mk" "$root/scripts" "$root/recipes" "$1"
    ln -s "$BIN" "$1/bin"
    cd "$1" || return 1
    sed -i -E 's/^arch .*/arch tiny/; s/^batch .*/batch 16/; s/epochs [0-9]+/epochs 1/; s/cycles [0-9]+ len [0-9]+/cycles 1 len 1/' \
        recipes/*.recipe recipes/demo/*.recipe
}

# Runs each command of a document after SED has changed it, and stops at the first that fails, with what it said.
run_all() { # DOCUMENT AT-LEAST SED
    local command number=0
    while IFS= read -r -d '' command; do
        number=$((number + 1))
        command=$(sed -E "$3" <<<"$command")
        if ! env -i PATH="$PATH" HOME="$PWD" TERM=dumb ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" \
            bash -o pipefail -c "$command" >said 2>&1 </dev/null 3>&-; then
            printf 'failed, command %d: %s\n' "$number" "$command"
            tail -n 20 said
            return 1
        fi
    done < <(awk -f "$root/tests/lib/commands.awk" "$1")
    [ "$number" -ge "$2" ] || {
        echo "$1 has $number commands, $2 or more were expected"
        return 1
    }
}

@test "every command of the lesson runs" {
    checkout "$BATS_TEST_TMPDIR/lesson"
    run run_all "$root/doc/lesson.md" 30 's/--pictures 4000/--pictures 160/'
    assert_success
    # and leaves what the text tells people to open
    # shellcheck disable=SC2016
    while read -r picture; do
        [ -s "$picture" ] || {
            echo "the lesson speaks of $picture, which is not there"
            return 1
        }
    done < <(grep -o '`out/lesson/[^`]*\.\(png\|jpg\)`' "$root/doc/lesson.md" | tr -d '`' | sort -u)
}

# What the README takes for granted: VOC 2007 (image 17 with two objects of different classes), ImageNet weights, and a
# folder of somebody's photos.
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
}

@test "every command of README.md that is shown with its output runs" {
    checkout "$BATS_TEST_TMPDIR/readme"
    belongings >log 2>&1 || {
        cat log
        return 1
    }
    run run_all "$root/README.md" 12 "s/^$//"
    assert_success
}

@test "commands that README.md only names are few, and tested elsewhere" {
    while IFS= read -r command; do
        case $command in
        make | 'make check' | 'make data' | 'apt-get update && apt-get install -y make && make demo') ;;
        *)
            echo "no test is known for: $command"
            return 1
            ;;
        esac
    done < <(awk -v also=sh -f "$root/tests/lib/commands.awk" "$root/README.md" "$root/doc/lesson.md" | tr '\0' '\n')
}
