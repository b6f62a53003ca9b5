# import-weights: files of PyTorch and safetensors in, one form out.

load ../lib/shapes.bash

setup_file() {
    [ -x "${HELPERS:-}/torchfile" ] || skip "build/tests/torchfile is not built (make check does it)"
    cd "$BATS_FILE_TMPDIR" || return 1
    "$HELPERS/torchfile" resnet18 plain.pth
    "$BIN/import-weights" -o plain.safetensors plain.pth
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    cd "$BATS_TEST_TMPDIR" || return 1
    ready=$BATS_FILE_TMPDIR/plain.safetensors
}

import() { # WORDS of torchfile: a ResNet-18 of that kind through import-weights
    "$HELPERS/torchfile" resnet18 in.pth "$@" || return
    "$BIN/import-weights" -o out.safetensors in.pth
}

refused() { # TEXT: the last run ended with 3 and one line with this, and left nothing
    assert_equal "$status" 3
    assert_equal "${#lines[@]}" 1
    assert_output --partial "$1"
    assert_equal "$(echo out*)" "out*"
}

@test "all forms and precisions of one network give the same bytes" {
    for words in "zip f16" "zip bf16 counters" "zip f64 module" "legacy f32 counters" "legacy f16 wrap" "legacy f64" \
        safetensors; do
        # shellcheck disable=SC2086
        run -0 import $words
        cmp out.safetensors "$ready"
    done
}

@test "it says what it found" {
    run -0 import counters
    assert_output \
        "import-weights: resnet18 from PyTorch's format: 122 tensors read, 102 written, 20 num_batches_tracked left out"
    run -0 import legacy nofc
    assert_output "import-weights: resnet18 from PyTorch's format before 1.6: 100 tensors read, 100 written,\
 0 num_batches_tracked left out"
    run -0 import safetensors
    assert_output --partial "resnet18 from safetensors: 102 tensors read"
}

@test "weights inside a checkpoint, or of a parallel network, are found" {
    run -0 import wrap counters
    cmp out.safetensors "$ready"
    run -0 import module wrap
    cmp out.safetensors "$ready"
}

@test "resnet34 and resnet50 are recognised by their tensors" {
    for arch in resnet34:182 resnet50:267; do
        "$HELPERS/torchfile" "${arch%:*}" in.pth bf16
        run -0 "$BIN/import-weights" -o out.safetensors in.pth
        assert_output --partial "${arch%:*} from PyTorch's format: ${arch#*:} tensors read, ${arch#*:} written"
        rm in.pth out.safetensors
    done
}

@test "fc may have any number of classes, or be missing" {
    run -0 import fc=7
    run -0 "$BIN/import-weights" --check out.safetensors
    run -0 import nofc
    run -0 "$BIN/import-weights" --check out.safetensors
    rm out.safetensors
    run import drop=fc.bias
    refused "1 tensor missing ('fc.bias')"
    run import flat=fc.weight
    refused "1 tensor of another shape ('fc.weight' is 512000 instead of 1000x512)"
}

@test "a training takes what was imported" {
    shapes_cache
    run -0 train bbox --weights "$ready" --set arch=resnet18 --set phase.all=none -o x.ckpt
    run -0 "$BIN/train-bbox" --check x.ckpt
    # which says that it comes from there
    sum=$(sha256sum <"$ready")
    grep -aq "${sum%% *}" x.ckpt
}

@test "missing, unknown and wrongly shaped tensors are named" {
    run import drop=layer1.0.conv1.weight drop=bn1.bias add=layer9.weight flat=conv1.weight
    refused "in.pth: is no resnet18: 2 tensors missing ('bn1.bias', 'layer1.0.conv1.weight');\
 1 tensor of another shape ('conv1.weight' is 9408 instead of 64x3x7x7); 1 tensor unknown ('layer9.weight')"
    "$HELPERS/torchfile" resnet34 in.pth
    run "$BIN/import-weights" --arch resnet18 -o out.safetensors in.pth
    refused "is no resnet18: 80 tensors unknown ('layer1.2.bn1.bias', 'layer1.2.bn1.running_mean',\
 'layer1.2.bn1.running_var', ...)"
    run import counters drop=layer2.0.bn2.num_batches_tracked
    refused "1 tensor missing ('layer2.0.bn2.num_batches_tracked')"
    run import add=head.num_batches_tracked
    refused "1 tensor unknown ('head.num_batches_tracked')"
}

@test "elements that are no numbers are refused" {
    run import nan=layer3.1.bn2.weight
    refused "in.pth: tensor 'layer3.1.bn2.weight', element 5 is not a finite number"
}

@test "a file that would run a command runs nothing" {
    printf '\x80\x02cposix\nsystem\nX\x0a\0\0\0touch pwned\x85R.' >pickle
    {
        printf '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.'
        printf '\x80\x02M\xe9\x03.\x80\x02}U\x0dlittle_endian\x88s.'
        cat pickle
    } >in.pth
    run "$BIN/import-weights" -o out.safetensors in.pth
    refused "in.pth: object: byte 2: asks for 'posix.system', which weights do not need (nothing was executed)"
    [ ! -e pwned ]
}

@test "truncated files are refused" {
    for size in 0 3 40 5000 40000000; do
        head -c $size "$BATS_FILE_TMPDIR/plain.pth" >in.pth
        run "$BIN/import-weights" -o out.safetensors in.pth
        refused "in.pth: "
    done
    "$HELPERS/torchfile" resnet18 whole.pth legacy
    for size in 14 60 20000 40000000; do
        head -c $size whole.pth >in.pth
        run "$BIN/import-weights" -o out.safetensors in.pth
        refused "in.pth: "
    done
}

@test "what is no weights file at all is told apart" {
    echo "lines of text" >in.pth
    run "$BIN/import-weights" -o out.safetensors in.pth
    refused "in.pth: neither safetensors nor a file of torch.save"
    tar -cf in.pth --owner=0 /dev/null 2>/dev/null
    run "$BIN/import-weights" -o out.safetensors in.pth
    refused "in.pth: a tar file; torch.save wrote such ones before"
    run "$BIN/import-weights" -o out.safetensors nowhere.pth
    refused "nowhere.pth: cannot open"
    run "$BIN/import-weights" -o out.safetensors .
    refused ".: is a directory"
    run "$BIN/import-weights" -o out.safetensors "$root/tests/golden/torch/2.15-views.pth"
    refused "is no resnet18"
}

@test "wrong options are a matter of usage" {
    run -2 "$BIN/import-weights" in.pth
    run -2 "$BIN/import-weights" --arch resnet99 -o out.safetensors in.pth
    run -2 "$BIN/import-weights" -o out.safetensors
    run -2 "$BIN/import-weights" -o out.safetensors -
    assert_output --partial "weights are read from a file, not from standard input"
}

@test "--check knows what it has written" {
    run -0 "$BIN/import-weights" --check "$ready"
    run -1 "$BIN/import-weights" --check "$root/README.md"
}

@test "a training that is given PyTorch's file is told what to do with it" {
    shapes_cache
    for form in zip legacy; do
        "$HELPERS/torchfile" resnet18 in.pth $form
        run train cls --arch resnet18 --weights in.pth -o x.ckpt
        assert_failure 3
        assert_output \
            "train-cls: in.pth: is a file of PyTorch; make safetensors of it: import-weights -o FILE.safetensors in.pth"
    done
}
