# standins.bash - a small project tree whose programs are shell scripts, to test make's rules in seconds.
# shellcheck shell=bash
bats_require_minimum_version 1.5.0

# Makes $BATS_TEST_TMPDIR/tree and enters it: the real Makefile, pipeline.mk and scripts, recipes, data for VOC=voc,
# and in bin/ one stand-in under the name of every program. Calls are written down in the file `calls`.
standin_tree() {
    local root tree=${1:-$BATS_TEST_TMPDIR/tree} program
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    mkdir -p "$tree/recipes" "$tree/bin" "$tree/voc/annotations" "$tree/voc/JPEGImages" "$tree/data"
    cp "$root/Makefile" "$root/pipeline.mk" "$tree"
    cp -r "$root/scripts" "$tree"
    cd "$tree" || return 1
    for program in cls bbox detn; do
        printf 'arch resnet34\nphase head from head lr 1e-2 triangular 32 5 epochs 3 # first\n' \
            >"recipes/$program.recipe"
    done
    echo '{"images": []}' >voc/annotations/pascal_train2007.json
    echo one >voc/JPEGImages/1.jpg
    echo two >"voc/JPEGImages/photo 2.jpg"
    echo weights >data/resnet34.safetensors
    for program in voc2json json2anno largest mkcsv resize-cache train-cls train-bbox train-detn predict evaluate \
        render report; do
        cp "$BATS_TEST_DIRNAME/../lib/standin" "bin/$program"
    done
    : >calls
}

# make in that tree, without what the make that runs the tests has put into the environment.
mk() {
    env -i PATH="$PATH" HOME="$HOME" make --no-print-directory VOC=voc "$@"
}

# The names of the programs that ran since the last question, sorted, in one line.
calls() {
    sort calls | tr '\n' ' ' | sed 's/ $//'
    : >calls
}

# A moment long enough for the next file to have a later time.
later() {
    sleep 0.02
}

# One line that changes when any file of the tree is written, made or removed.
tree_state() {
    find . -printf '%p %T@ %C@ %s\n' | sort | sha256sum
}
