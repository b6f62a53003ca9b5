#!/usr/bin/env bats
# train-X --summary, --summary-noise, --until, and the rate finder's whole epoch, on the little set of shapes.
# shellcheck disable=SC2154 # shapes and stderr are set by shapes.bash and bats

load ../lib/shapes.bash

# ---------------------------------------------------------------- the network's modules

@test "the summary of the box regressor needs nothing and numbers its modules 1 to 124" {
    run --separate-stderr "$BIN/train-bbox" --summary
    assert_success
    assert_equal "${#lines[@]}" 125
    assert_equal "$(tr -s ' ' <<<"${lines[1]}")" "Conv2d-1 [-1,3,224,224] [-1,64,112,112] False 9408"
    assert_equal "$(tr -s ' ' <<<"${lines[2]}")" "BatchNorm2d-2 [-1,64,112,112] [-1,64,112,112] False 128"
    assert_equal "$(tr -s ' ' <<<"${lines[122]}")" "BasicBlock-122 [-1,512,7,7] [-1,512,7,7] - 0"
    assert_equal "$(tr -s ' ' <<<"${lines[123]}")" "Flatten-123 [-1,512,7,7] [-1,25088] - 0"
    assert_equal "$(tr -s ' ' <<<"${lines[124]}")" "Linear-124 [-1,25088] [-1,4] True 100356"
    assert_equal "$stderr" \
        "train-bbox: resnet34, 124 modules, 21385028 parameters, 100356 of them trainable (from head on)"
    assert_equal "$(files)" ""
}

@test "a summary takes its classes from labels, from a number or from a checkpoint" {
    # of the labels only those with classes are read
    run "$BIN/train-detn" --summary --lrg "$shapes/lrg.csv" --bb none.csv --val none.txt
    assert_success
    run --separate-stderr "$BIN/train-cls" --summary --lrg "$shapes/lrg.csv" --arch tiny --size 64
    assert_success
    by_labels=$output
    run --separate-stderr "$BIN/train-cls" --summary --classes 3 --recipe "$BATS_FILE_TMPDIR/tiny.recipe"
    assert_success
    assert_equal "$output" "$by_labels"
    train cls --weights none --epochs 1 --until head -o in.cls.ckpt 2>/dev/null >&2
    run --separate-stderr "$BIN/train-cls" --summary --init in.cls.ckpt
    assert_success
    assert_equal "$output" "$by_labels"
    run "$BIN/train-cls" --summary
    assert_failure 2
    assert_output "train-cls: --summary needs a number of classes: --lrg FILE, --classes N or --init CKPT"
    run "$BIN/train-detn" --summary --init in.cls.ckpt
    assert_failure 3
    assert_output --partial "in.cls.ckpt"
}

@test "the phase says what is trainable" {
    run --separate-stderr "$BIN/train-detn" --summary --classes 20 --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --phase all
    assert_success
    assert_line --regexp "^Conv2d-1 .* True "
    refute_line --partial False
    run "$BIN/train-detn" --summary --classes 20 --recipe "$BATS_FILE_TMPDIR/tiny.recipe" --phase tail
    assert_failure 2
    assert_output --partial "has no phase 'tail'"
}

@test "a summary behind a whole training's options trains and writes nothing" {
    run --separate-stderr train bbox --weights none -o x.ckpt --summary
    assert_success
    assert_line --regexp "^Conv2d-1 +\[-1,3,64,64\]"
    assert_equal "$(files)" ""
}

@test "what a summary can't use is refused" {
    local given
    for given in '--lr-find x.tsv' '--lr-start 1e-3' --resume --summary-noise '--until head'; do
        # shellcheck disable=SC2086 # an option and its value
        run train bbox --weights none --summary $given
        assert_failure 2
        assert_output "train-bbox: --summary trains nothing: leave out ${given%% *}"
        # shellcheck disable=SC2086
        run train bbox --weights none --print-recipe $given
        assert_failure 2
        assert_output "train-bbox: --print-recipe trains nothing: leave out ${given%% *}"
    done
    run train bbox --weights none --print-recipe --phase head
    assert_failure 2
    assert_output "train-bbox: --phase belongs to --lr-find and --summary"
    run train bbox --weights none -o x.ckpt --phase head
    assert_failure 2
    assert_output "train-bbox: --phase belongs to --lr-find and --summary, --lr-start to --lr-find"
    run train cls --weights none --classes 3 -o x.ckpt
    assert_failure 2
    assert_output --partial "--classes belongs to --summary"
    run "$BIN/train-bbox" --summary --size 100
    assert_failure 2
    run "$BIN/train-cls" --summary --lrg nothing.csv
    assert_failure 3
    assert_output --partial "nothing.csv"
    run "$BIN/train-bbox" --summary --recipe nothing.recipe
    assert_failure 3
    assert_output --partial "nothing.recipe"
    run "$BIN/train-cls" --summary --classes 0.5
    assert_failure 2
}

@test "--summary-noise moves the statistics of the frozen layers before the training, and says so" {
    run train bbox --weights none --until head -o plain.ckpt
    assert_success
    run train bbox --weights none --until head --summary-noise -o noise.ckpt
    assert_success
    assert_output --partial "--summary-noise: three pictures of noise have moved the running statistics"
    run -1 cmp -s plain.ckpt noise.ckpt
    train bbox --weights none --until head --summary-noise -o again.ckpt >/dev/null 2>&1
    cmp noise.ckpt again.ckpt
    # weights of frozen layers stay, their running means do not
    tensor() { # FILE NAME COUNT: the first numbers of a tensor
        local header offset
        header=$(od -An -tu8 -N8 "$1")
        offset=$(head -c $((8 + header)) "$1" | grep -aoP "\"${2//./\\.}\":\{[^}]*\"data_offsets\":\[\K[0-9]+")
        od -An -tx4 -j $((8 + header + offset)) -N $((4 * $3)) "$1"
    }
    assert_equal "$(tensor noise.ckpt conv1.weight 16)" "$(tensor plain.ckpt conv1.weight 16)"
    [ "$(tensor noise.ckpt bn1.running_mean 16)" != "$(tensor plain.ckpt bn1.running_mean 16)" ]
    [ "$(tensor noise.ckpt layer4.0.bn2.running_var 16)" != "$(tensor plain.ckpt layer4.0.bn2.running_var 16)" ]
}

# ---------------------------------------------------------------- a part of the phases

@test "--until ends after that phase, with the checkpoint that the whole training leaves there" {
    train cls --weights none --threads 1 --epochs 1 -o whole.ckpt >/dev/null 2>&1
    run train cls --weights none --threads 1 --epochs 1 --until head -o part.ckpt
    assert_success
    refute_output --partial "phase all"
    cmp whole.0.ckpt part.ckpt
    assert_equal "$(files)" \
        "part.batches.tsv part.ckpt part.history.tsv whole.0.ckpt whole.batches.tsv whole.ckpt whole.history.tsv"
    run train cls --weights none --until tail -o x.ckpt
    assert_failure 2
    assert_output --partial "--until: $BATS_FILE_TMPDIR/tiny.recipe has no phase 'tail'"
    run train cls --weights none --until head --lr-find x.tsv
    assert_failure 2
    [ ! -e x.ckpt ]
    [ ! -e x.tsv ]
}

# ---------------------------------------------------------------- the rate finder

@test "a rate finder that is never stopped validates with exploded weights and prints a normal row" {
    # less than twelve batches can't stop
    run --separate-stderr train detn --weights none --set batch=8 --lr-find lr.tsv --lr-start 1e-5 --lr-end 1e6
    assert_success
    assert_equal "$(tail -n +2 lr.tsv | wc -l)" 6
    assert_equal "${lines[0]}" "epoch      trn_loss   val_loss   detn_acc   detn_l1    "
    assert_line --index 1 --regexp "^    0      [0-9.e+]+ +[0-9.e+]+ +0\.[0-9]+ +[0-9.e+]+ *$"
    assert [ "$(awk '{ print ($3 > 1000) }' <<<"${lines[1]}")" = 1 ]
    [[ $stderr == *"ran the whole epoch: 6/6, loss="* ]]
    # the table alone goes to standard output on request
    run --separate-stderr train detn --weights none --set batch=8 --lr-find - --lr-start 1e-5 --lr-end 1e6
    assert_equal "$output" "$(cat lr.tsv)"
}

@test "a rate finder that is stopped prints no row, and a checkpoint it starts from stays as it is" {
    train bbox --weights none --until head -o in.ckpt >/dev/null 2>&1
    sha256sum in.ckpt >in.sum
    run --separate-stderr train bbox --init in.ckpt --set batch=2 --lr-find lr.tsv --phase all \
        --lr-start 1e-8,1e-7,1e-6 --lr-end 1000
    assert_success
    assert_output ""
    [[ $stderr == *"stopped at "*"/22, loss="* ]]
    sha256sum -c --quiet in.sum
}
