#!/usr/bin/env bats
# The three trainings end to end, on the little set of shapes.
# shellcheck disable=SC2154 # shapes and stderr are set by shapes.bash and bats

load ../lib/shapes.bash

# refused CODE PATTERN OPTION...: train-detn fails with that code, one line of its own that matches, and no files.
refused() {
    local code=$1 pattern=$2 given=" ${*:3} "
    shift 2
    [[ $given == *" --weights "* ]] || set -- "$@" --weights none
    [[ $given == *" -o "* ]] || set -- "$@" -o x.ckpt
    run train detn "$@"
    assert_failure "$code"
    assert_equal "${#lines[@]}" 1
    assert_line --regexp "^train-detn: .*$pattern"
    assert_equal "$(files)" ""
}

@test "a detector trains from nothing: checkpoints, history, batches, and the loss falls" {
    run --separate-stderr train detn --weights none --epochs 4 -o detn.ckpt
    assert_success
    assert_equal "$(files)" "detn.0.ckpt detn.batches.tsv detn.ckpt detn.history.tsv"
    assert_line --index 0 "epoch      trn_loss   val_loss   detn_acc   detn_l1    "
    assert_equal "${#lines[@]}" 10
    "$BIN/train-detn" --check detn.ckpt
    "$BIN/train-detn" --check detn.0.ckpt
    assert_equal "$(column detn.history.tsv phase | xargs)" "head head head head all all all all"
    assert_equal "$(column detn.history.tsv epoch | xargs)" "0 1 2 3 0 1 2 3"
    assert_equal "$(column detn.batches.tsv batch | xargs)" "$(echo {0..11} {0..11})"
    run awk -F '\t' 'NR == 2 { first = $4 } END { exit !($4 < 0.9 * first) }' detn.history.tsv
    assert_success
}

@test "the table shows the rows of the history, and a detector's validation loss is L1 plus 20 times cross-entropy" {
    run --separate-stderr train detn --weights none --epochs 1 -o detn.ckpt
    assert_success
    awk -F '\t' 'NR == 3 { exit !($6 > 0 && $4 > $6) }' detn.history.tsv
    val=$(column detn.history.tsv val_loss | tail -1)
    assert_regex "${lines[3]}" "^ *0 +[0-9.]+ +${val%??} *"
}

@test "a classifier and a box regressor train too, each with its own columns" {
    run --separate-stderr train cls --weights none --epochs 1 -o cls.ckpt
    assert_success
    assert_line --index 0 "epoch      trn_loss   val_loss   accuracy   "
    assert_equal "$(column cls.history.tsv l1 | sort -u)" "-"
    run --separate-stderr train bbox --weights none --epochs 1 -o bbox.ckpt
    assert_success
    assert_line --index 0 "epoch      trn_loss   val_loss   "
    assert_equal "$(column bbox.history.tsv accuracy | sort -u)" "-"
    "$BIN/train-cls" --check cls.ckpt
    "$BIN/train-bbox" --check bbox.ckpt
    run "$BIN/train-bbox" --check cls.ckpt
    assert_failure 1
    assert_output ""
}

@test "the same seed gives the same bytes, another seed gives others" {
    train detn --weights none --epochs 1 --threads 2 -o a.ckpt
    train detn --weights none --epochs 1 --threads 2 -o b.ckpt
    cmp a.ckpt b.ckpt
    cmp a.0.ckpt b.0.ckpt
    cmp <(cut -f 1-6 a.history.tsv) <(cut -f 1-6 b.history.tsv)
    cmp <(cut -f 1-6 a.batches.tsv) <(cut -f 1-6 b.batches.tsv)
    train detn --weights none --epochs 1 --threads 2 --seed 1 -o c.ckpt
    run cmp -s a.ckpt c.ckpt
    assert_failure 1
}

@test "damaged pixels in the cache end a training, they are not learned" {
    cp "$BATS_FILE_TMPDIR/shapes.cache" in.cache
    printf '\x5a\xa5\x5a' | dd of=in.cache bs=1 seek=3000 conv=notrunc status=none
    run train detn --weights none --cache in.cache --epochs 1 -o x.ckpt
    assert_failure 3
    assert_line --regexp '^train-detn: in.cache: the pixels of 0.*png are damaged; run resize-cache again$'
    [ ! -e x.ckpt ]
    [ ! -e x.0.ckpt ]
}

@test "one thread and three threads train as well" {
    for threads in 1 3; do
        train cls --weights none --epochs 1 --threads $threads -o t$threads.ckpt
        "$BIN/train-cls" --check t$threads.ckpt
    done
    # the pictures are the same; only the order of additions may differ
    paste <(column t1.history.tsv val_loss) <(column t3.history.tsv val_loss) |
        awk '{ d = ($1 - $2) / $1; if (d * d > 1e-4) exit 1 }'
}

@test "a training to which the system gives fewer threads than it asks for computes everything" {
    train cls --weights none --epochs 1 --threads 2 -o whole.ckpt
    export OMP_THREAD_LIMIT=1
    run timeout 60 "$BIN/train-cls" --cache "$BATS_FILE_TMPDIR/shapes.cache" --lrg "$shapes/lrg.csv" \
        --val "$shapes/val.txt" \
        --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --weights none --epochs 1 --threads 2 -o part.ckpt
    assert_success
    assert_output --partial ", 1 thread,"
    paste <(column whole.batches.tsv loss) <(column part.batches.tsv loss) |
        awk '{ d = ($1 - $2) / $1; if (d * d > 1e-6) exit 1 } END { exit NR < 2 }'
}

@test "--init takes the backbone of a classifier into a detector, and the head too for the same task" {
    train cls --weights none --epochs 1 -o cls.ckpt
    run train detn --init cls.ckpt --epochs 1 -o detn.ckpt
    assert_success
    assert_line --partial "starting from the backbone of cls.ckpt, with a new head"
    run train detn --init detn.ckpt --set phase.head=none --epochs 1 -o more.ckpt
    assert_success
    assert_line --partial "starting from detn.ckpt, backbone and head"
    assert [ ! -e more.0.ckpt ]
}

@test "a training that goes on from a checkpoint draws other pictures and dropout masks than the one before" {
    train detn --weights none --set phase.all=none --epochs 1 -o one.ckpt
    train detn --init one.ckpt --set phase.all=none --epochs 1 --set phase.head.lr=1e-9 -o two.ckpt
    train detn --init one.ckpt --set phase.all=none --epochs 1 --set phase.head.lr=1e-9 -o again.ckpt
    # at a rate of nearly 0 the losses show the draws: the same ones from the same checkpoint, others from another
    cmp <(cut -f 1-6 two.batches.tsv) <(cut -f 1-6 again.batches.tsv)
    train detn --init one.ckpt --set phase.all=none --epochs 1 --set phase.head.lr=2e-9 -o x.ckpt
    train detn --init x.ckpt --set phase.all=none --epochs 1 --set phase.head.lr=1e-9 -o y.ckpt
    run cmp -s <(column two.batches.tsv loss | cut -c 1-4) <(column y.batches.tsv loss | cut -c 1-4)
    assert_failure 1
}

@test "--weights takes a checkpoint's backbone as well" {
    train cls --weights none --epochs 1 -o cls.ckpt
    train detn --weights cls.ckpt --epochs 1 -o detn.ckpt
    "$BIN/train-detn" --check detn.ckpt
}

@test "values of the recipe can be changed from the command line" {
    train cls --weights none --set phase.head.epochs=2 --set phase.all=none --set batch=8 --set augment.rotate=none \
        --seed 7 -o x.ckpt
    assert_equal "$(column x.batches.tsv batch | xargs)" "$(echo {0..11})"
    assert_equal "$(files)" "x.batches.tsv x.ckpt x.history.tsv"
    grep -aq 'batch 8' x.ckpt
    run grep -aq 'rotate' x.ckpt
    assert_failure
}

@test "--history and --batches say where the tables go" {
    train cls --weights none --epochs 1 --history h.tsv --batches b.tsv -o x.ckpt
    assert_equal "$(files)" "b.tsv h.tsv x.0.ckpt x.ckpt"
}

@test "--bn-freeze trains" {
    train cls --weights none --epochs 1 --bn-freeze -o x.ckpt
    "$BIN/train-cls" --check x.ckpt
}

@test "away from a terminal there is no bar, on one there is" {
    run --separate-stderr train cls --weights none --epochs 1 -o x.ckpt
    assert_success
    # shellcheck disable=SC2154  # bats sets it
    refute [ "$(printf '%s' "$stderr" | tr -dc '\r' | wc -c)" -gt 0 ]
    command -v script >/dev/null || skip "no script(1) to make a terminal"
    run script -qec "$(printf '%q ' "$BIN/train-cls" --cache "$BATS_FILE_TMPDIR/shapes.cache" --val "$shapes/val.txt" \
        --lrg "$shapes/lrg.csv" --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --weights none --epochs 1 -o y.ckpt)" /dev/null
    assert_success
    assert_output --regexp '\[#+\.*\] [0-9]+/3 +loss [0-9.]+ +lr [0-9.e-]+ +[0-9.]+ img/s +eta [0-9:]+'
}

# ---------------------------------------------------------------- a rate that explodes

@test "a loss that is no number ends the training with one line that names the place" {
    train detn --weights none --epochs 1 -o in.detn
    rm in.detn.*
    poison in.detn head.5.weight '\377\377\177\177' # the largest float
    run train detn --init in.detn -o x.ckpt
    assert_failure 3
    assert_line \
        --regexp "^train-detn: the training loss is not a finite number any more in phase head, epoch 0, batch [0-2] \
\(rate of the head [0-9.e-]+\), with [0-9a-z.]+, [0-9a-z.]+, [0-9a-z.]+ and [0-9]+ more of [0-9]+ pictures: try a "
    assert_equal "$(files)" ""
    poison in.detn head.5.weight '\0\0\300\177' # NaN
    run train detn --init in.detn -o x.ckpt
    assert_failure 3
    assert_output --regexp "^train-detn: in.detn: tensor 'head.5.weight', element 0 is not a finite number$"
}

@test "a table with more classes than a network can have is bad input" {
    awk 'BEGIN { print "fn,cat"; for (i = 0; i < 65537; i++) printf "%d.jpg,class %d\n", i, i }' >many.csv
    echo 1.jpg >one.txt
    run train cls --lrg many.csv --val one.txt --weights none -o x.ckpt
    assert_failure 3
    assert_output "train-cls: many.csv: 65537 classes: 1 to 65536 are possible"
}

@test "--check remarks a checkpoint without a checksum, and refuses one with another" {
    train detn --weights none --epochs 1 -o a.ckpt
    printf '\x55' | dd of=a.ckpt bs=1 seek=$(($(stat -c %s a.ckpt) - 3)) conv=notrunc status=none
    run "$BIN/train-detn" --check a.ckpt
    assert_failure 1
    assert_output ""
    LC_ALL=C sed -i 's/"xxh64"/"xxh46"/' a.ckpt
    run "$BIN/train-detn" --check a.ckpt
    assert_success
    assert_output --regexp "^train-detn: a.ckpt: has no checksum "
}

@test "--lr-find writes the curve and nothing else" {
    run train cls --weights none --set batch=2 --lr-find lr.tsv
    assert_success
    assert_output --regexp "stopped at|ran the whole epoch"
    assert_equal "$(files)" lr.tsv
    assert_equal "$(head -1 lr.tsv)" "$(printf 'batch\tlr\tloss\tsmoothed')"
    # 22 batches (one picture is left over) from 1e-5 on, each 10^(6/22) times the one before
    awk 'NR == 2 && ($2 < 0.99e-5 || $2 > 1.01e-5) { exit 1 }
         NR > 2 { r = $2 / last; if (r < 1.87 || r > 1.88) exit 1 } { last = $2 }' lr.tsv
    run train cls --weights none --set batch=2 --lr-find - --phase all --lr-start 1e-8,1e-7,1e-6 --lr-end 1
    assert_success
    assert_line --index 2 --regexp "^batch"
    run train cls --weights none --lr-find lr.tsv --phase alll
    assert_failure 2
    assert_line --partial "has no phase 'alll'"
}

# ---------------------------------------------------------------- wrong input

@test "a missing option is named" {
    run "$BIN/train-cls"
    assert_failure 2
    assert_equal "${#lines[@]}" 1
    run train cls -o x.ckpt
    assert_failure 2
    assert_output "train-cls: --weights FILE (or 'none') or --init CKPT is needed; see --help"
    run train cls --weights none
    assert_failure 2
    assert_output "train-cls: --output FILE is needed; see --help"
    run train cls --weights none --init x.ckpt -o x.ckpt
    assert_failure 2
    run train cls --weights none -o -
    assert_failure 2
}

@test "missing, empty, truncated and foreign files are refused one by one" {
    printf '' >in.empty
    head -c 100 "$BATS_FILE_TMPDIR/shapes.cache" >in.short
    refused 3 "in.none: cannot open" --cache in.none
    refused 3 "in.empty" --cache in.empty
    refused 3 "in.short" --cache in.short
    refused 3 "lrg.csv" --cache "$shapes/lrg.csv"
    refused 3 "in.empty" --lrg in.empty
    refused 3 "in.none" --bb in.none
    refused 3 "in.empty" --recipe in.empty
    refused 3 "in.none" --recipe in.none
    refused 3 "in.empty" --weights in.empty
    refused 3 "in.short" --weights in.short
    refused 3 "in.none" --weights in.none
    refused 3 "in.none" --val in.none
}

@test "labels, validation list and cache must name the same pictures" {
    printf 'fn,cat\n000001.png,disc\n000002.png,disc\nghost.png,disc\n' >in.lrg
    printf 'fn,bbox\n000001.png,1 2 3 4\n000002.png,1 2 3 4\nghost.png,1 2 3 4\n' >in.bb
    printf 'ghost.png\n' >in.val
    refused 3 "ghost.png" --lrg in.lrg --bb in.bb --val in.val
    refused 3 "ghost.png" --val in.val
    refused 3 "in.lrg: 1 of its 3 file names" --lrg in.lrg
}

@test "a box outside its picture is noticed" {
    sed 's/^000002.png,.*/000002.png,500 500 600 600/' "$shapes/bb.csv" >in.bb
    refused 3 "000002.png: its box 500 500 600 600 lies outside the picture of 80 x 96" --bb in.bb
}

@test "a cache of another size, an unknown arch and a bad setting are refused" {
    refused 3 "scaled to 64, the network takes 96; make one with resize-cache --size 96" --size 96
    refused 2 "arch" --arch resnet99
    refused 2 "size" --size 65
    refused 2 "phase.hed.lr" --set phase.hed.lr=1
    refused 2 "batch" --set batch=none
    refused 2 "the only phase" --set phase.head=none --set phase.all=none
    refused 3 "batch of 1 cannot train" --set batch=1
}

@test "weights of another architecture and a checkpoint of another one are refused" {
    train cls --weights none --epochs 1 -o in.cls
    rm in.cls.*
    run train detn --init in.cls --arch resnet18 -o x.ckpt
    assert_failure 3
    assert_output "train-detn: in.cls: is a tiny, the recipe wants a resnet18; --arch tiny takes it"
    refused 3 "in.cls" --weights in.cls --arch resnet18
}

@test "one training picture is too few" {
    printf 'fn,cat\n000001.png,disc\n000002.png,disc\n' >in.lrg
    printf '000001.png\n' >in.val
    run "$BIN/train-cls" --cache "$BATS_FILE_TMPDIR/shapes.cache" --lrg in.lrg --val in.val \
        --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --weights none -o x.ckpt
    assert_failure 3
    assert_output "train-cls: 1 training pictures are too few, at least two are needed: name fewer in in.val"
}

@test "a batch that is large for so few pictures is remarked, with one that works" {
    run train cls --weights none --epochs 1 --set batch=32 -o cls.ckpt
    assert_success
    assert_line "train-cls: an epoch has only 2 batches of 32; --set batch=8 takes more steps"
    run train cls --weights none --epochs 1 --set batch=8 -o cls.ckpt
    assert_success
    refute_output --partial "an epoch has only"
    run train cls --weights none --epochs 1 -o cls.ckpt
    refute_output --partial "an epoch has only"
}

@test "an output folder that is not there is noticed before the training" {
    refused 4 "nowhere/x.ckpt: cannot create" -o nowhere/x.ckpt
    refused 4 "nowhere/h.tsv: cannot create" --history nowhere/h.tsv
}

@test "an unknown device is refused" {
    run train detn --weights none --device quantum -o x.ckpt
    assert_failure
    assert_line --partial "quantum"
    assert_equal "$(files)" ""
}

@test "--help shows the options and examples, --version the libraries" {
    for task in cls bbox detn; do
        run "$BIN/train-$task" --help
        assert_success
        assert_output --partial "EXAMPLES"
        assert_output --partial "--recipe FILE"
        run "$BIN/train-$task" --version
        assert_success
        assert_output --partial "oneDNN"
    done
    run "$BIN/train-cls" --help
    refute_output --partial "--bb FILE"
    run "$BIN/train-bbox" --help
    refute_output --partial "--lrg FILE"
}

@test "--print-recipe prints the recipe as a training would use it, and reads nothing else" {
    run --separate-stderr "$BIN/train-detn" --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --print-recipe
    assert_success
    assert_equal "${lines[0]} ${lines[3]} ${lines[8]}" \
        "arch tiny seed 0 phase head from head lr 0.01 triangular 32 5 epochs 1"
    assert_equal "$stderr" ""
    printf '%s\n' "${lines[@]}" >in.canonical
    "$BIN/train-detn" --recipe - --print-recipe <in.canonical >in.again
    cmp in.again in.canonical
    run "$BIN/train-detn" --recipe in.canonical --size 96 --seed 3 --set batch=8 --set phase.head=none --epochs 2 \
        --print-recipe
    assert_success
    assert_equal "$(diff in.canonical <(echo "$output") | grep '^>' | xargs)" \
        "> size 96 > batch 8 > seed 3 > phase all from conv1 lr 0.002 triangular 32 5 epochs 2"
    run "$BIN/train-detn" --print-recipe
    assert_failure 2
    assert_output "train-detn: --recipe FILE is needed; see --help"
    assert_equal "$(files)" ""
    train detn --weights none --epochs 1 -o x.ckpt
    "$BIN/train-detn" --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --epochs 1 --print-recipe >in.used
    printf '%b' "$(grep -aoP '"recipe":"\K[^"]+' x.ckpt)" | cmp - in.used
}

@test "giou and smoothing add to the loss, and are refused where they would change nothing" {
    refused 2 "--set giou=-1: giou '-1' is not a number within 0..1000$" --set giou=-1
    train detn --weights none --epochs 1 -o a.ckpt
    train detn --weights none --epochs 1 --set giou=2 -o b.ckpt
    train detn --weights none --epochs 1 --set smoothing=0.2 -o c.ckpt
    awk -v a="$(column a.batches.tsv loss | head -n 1)" -v b="$(column b.batches.tsv loss | head -n 1)" \
        -v c="$(column c.batches.tsv loss | head -n 1)" 'BEGIN { exit !(b > a + 0.5 && b < a + 4 && c != a) }'
    grep -aqF 'giou 2\n' b.ckpt
    run train cls --weights none --set giou=1 -o d.ckpt
    assert_failure 3
    assert_output "train-cls: giou changes train-bbox and train-detn only: leave it out, or --set giou=0"
    run train bbox --weights none --set smoothing=0.1 -o d.ckpt
    assert_failure 3
    assert_output "train-bbox: smoothing changes train-cls and train-detn only: leave it out, or --set smoothing=0"
}

@test "a detector trains on cropped, zoomed and coloured pictures, one thread or three" {
    local new=(--epochs 1 --set "augment.crop=0.5,0.5" --set "augment.zoom=2,0.5" --set "augment.colour=0.3,0.1")
    train detn --weights none "${new[@]}" --threads 1 -o a.ckpt
    train detn --weights none "${new[@]}" --threads 3 -o b.ckpt
    train detn --weights none --epochs 1 --threads 1 -o c.ckpt
    paste <(column a.history.tsv val_loss) <(column b.history.tsv val_loss) |
        awk '{ d = ($1 - $2) / $1; if (d * d > 1e-4) exit 1 }'
    [ "$(column a.batches.tsv loss)" != "$(column c.batches.tsv loss)" ]
    train cls --weights none "${new[@]}" -o d.ckpt
}

@test "what is wrong with --size or --seed is said of that option, not of --set" {
    refused 2 "--size 100: size 100 is not a multiple of 32$" --size 100
    refused 2 "--seed x: seed 'x' is not a whole number" --seed x
    refused 2 "--set size=100: size 100 is not a multiple of 32$" --set size=100
}

@test "a training overwrites none of its inputs, and writes no two things into one file" {
    train detn --weights none --epochs 1 -o in.a.ckpt
    mv in.a.0.ckpt in.x.0.ckpt
    before=$(sha256sum in.x.0.ckpt)
    # the checkpoint after phase head would be the one that it starts from
    kept() { # PATTERN OPTION…
        local pattern=$1
        shift
        run train detn --epochs 1 "$@"
        assert_failure 2
        assert_equal "${#lines[@]}" 1
        assert_line --regexp "^train-detn: $pattern"
        assert_equal "$(sha256sum in.x.0.ckpt)" "$before"
    }
    kept "in.x.0.ckpt: --init reads it and the checkpoint of a phase would replace it; give them different names" \
        --init in.x.0.ckpt -o in.x.ckpt
    ln in.x.0.ckpt in.other.0.ckpt
    kept "in.x.0.ckpt: --init reads it" --init in.x.0.ckpt -o in.other.ckpt
    kept "./in.x.0.ckpt: --weights reads it" --weights ./in.x.0.ckpt -o in.x.ckpt
    kept "a.tsv: --history and --batches would be one file" \
        --weights none --history a.tsv --batches ./a.tsv -o a.ckpt
    kept "a.0.ckpt: the checkpoint of a phase and the history would be one file" \
        --weights none --history a.0.ckpt -o a.ckpt
    kept "a.state: the table of batches and the state would be one file" --weights none --batches a.state -o a.ckpt
    assert_equal "$(files)" ""
    # without phase head there is no such checkpoint
    train detn --init in.x.0.ckpt --set phase.head=none --epochs 1 -o in.x.ckpt --history /dev/null --batches /dev/null
    assert_equal "$(sha256sum in.x.0.ckpt)" "$before"
}

@test "a named pipe for the history gets the rows, not an empty trial before" {
    mkfifo in.pipe
    cat in.pipe >in.rows 3>&- &
    timeout 30 "$BIN/train-cls" --cache "$BATS_FILE_TMPDIR/shapes.cache" --val "$shapes/val.txt" \
        --lrg "$shapes/lrg.csv" \
        --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --weights none --set phase.head=none --epochs 1 --history in.pipe \
        -o x.ckpt
    wait
    assert_equal "$(wc -l <in.rows)" 2
}

@test "--help-recipe lists the words of the recipe language, with limits and defaults" {
    run "$BIN/train-bbox" --help-recipe
    assert_success
    assert_line --regexp "^  size N +side of the square input.*, 32\.\.2048 \[224\]$"
    assert_line --regexp "^  mult M +cosine: .*, 1\.\.16 \[1\]$"
    assert_equal "$(grep -c '^  ' <<<"$output")" 34 # onebox-recipe(5) is made of them: 97-documents.bats
}
