# The little training set of the end-to-end tests (tests/golden/shapes): 60 pictures, 15 of them validate.
# shellcheck shell=bash
# Loaded by the train and predict tests. A file that needs more than the set, or another folder, has a setup_file or
# setup of its own.
bats_require_minimum_version 1.5.0
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

shapes=$BATS_TEST_DIRNAME/../golden/shapes

# files: the files here, but for inputs of a test (in.*) and bats' own.
files() {
    local f list=()
    for f in *; do
        case $f in in.* | separate-stderr-* | '*') ;; *) list+=("$f") ;; esac
    done
    echo "${list[*]}"
}

# poison CHECKPOINT TENSOR BYTES: replaces the first number of that tensor; BYTES as printf takes them. The checksum
# goes, so that it looks like one that was trained.
poison() {
    local header offset
    LC_ALL=C sed -i 's/"xxh64":/"xxh00":/' "$1"
    header=$(od -An -tu8 -N8 "$1")
    offset=$(head -c $((8 + header)) "$1" | grep -aoP "\"${2//./\\.}\":\{[^}]*\"data_offsets\":\[\K[0-9]+")
    printf '%b' "$3" | dd of="$1" bs=1 seek=$((8 + header + offset)) conv=notrunc status=none
}

# shapes_cache: makes $BATS_FILE_TMPDIR/shapes.cache, once a file.
shapes_cache() {
    "$BIN/resize-cache" --images "$shapes" --size 64 -o "$BATS_FILE_TMPDIR/shapes.cache" "$shapes/lrg.csv"
    cat >"$BATS_FILE_TMPDIR/tiny.recipe" <<END
arch tiny
size 64
batch 16
precision tf32
augment flip 0.5
augment rotate 3 0.5
augment lighting 0.05 0.05
phase head from head lr 1e-2 triangular 32 5 epochs 1
phase all from conv1 lr 2e-3 triangular 32 5 epochs 3
END
}

setup_file() {
    shapes_cache
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

# train TASK OPTION...: trains on the shapes; give -o and --weights or --init. Inputs that are not given are the set's.
train() {
    local task=$1 given=" ${*:2} " inputs=()
    shift
    input() { [[ $given == *" $1 "* ]] || inputs+=("$1" "$2"); }
    input --cache "$BATS_FILE_TMPDIR/shapes.cache"
    input --val "$shapes/val.txt"
    [ "$task" = bbox ] || input --lrg "$shapes/lrg.csv"
    [ "$task" = cls ] || input --bb "$shapes/bb.csv"
    input --recipe "$BATS_FILE_TMPDIR/tiny.recipe"
    "$BIN/train-$task" "${inputs[@]}" "$@"
}

# column FILE NAME: that column of a TSV without its header.
column() {
    awk -F '\t' -v want="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == want) c = i; next } { print $c }' "$1"
}
