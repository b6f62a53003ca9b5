# Settings of make: kept for an OUT, misspelt, or naming files that are not there; with stand-ins for the programs.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
load ../lib/standins

setup() {
    standin_tree
    cp bin/largest bin/import-weights
}

# make as a user types it: mk of the helpers gives VOC as well.
plain() {
    env -i PATH="$PATH" HOME="$HOME" make --no-print-directory "$@"
}

# meant: the name that the last output proposes
meant() {
    # shellcheck disable=SC2154 # bats sets output
    sed -n 's/.*(do you mean \([^ ?]*\)?).*/\1/p' <<<"$output" | head -n 1
}

@test "settings given for an OUT are kept there and said once; later commands need only OUT" {
    run -0 plain o/detn.ckpt OUT=o VOC=voc TRAINFLAGS='--set batch=16' SEED=3
    assert_equal "$(grep -c '^settings:' <<<"$output")" 1
    assert_line "settings: o/config.mk keeps VOC='voc' SEED='3' TRAINFLAGS='--set batch=16' for OUT=o; remove a line\
 there to forget it"
    calls >/dev/null
    run -0 plain -q o/detn.ckpt OUT=o
    run -0 plain o/detn.metrics.json OUT=o
    assert_equal "$(calls)" "evaluate predict"
    refute_output --partial "settings:"
    run -0 plain params-diff OUT=o
    assert_output ""
}

@test "two makes that keep settings at once lose none" {
    mkdir out
    for n in 1 2 3 4 5 6 7 8; do
        ONEBOX_SETTINGS="SEED=$n" scripts/remember out 2>/dev/null &
        ONEBOX_SETTINGS="SIZE=$n" scripts/remember out 2>/dev/null &
        ONEBOX_SETTINGS="ORDER=$n" scripts/remember out 2>/dev/null
        wait
        assert_equal "$(sort out/config.mk)" "$(printf '%s = %d\n' ORDER $n SEED $n SIZE $n)"
    done
    assert_equal "$(ls -A out)" config.mk
}

@test "a new value on the command line takes the place of the kept one, and a removed line is forgotten" {
    echo '# mine' >config.mk
    mkdir o
    printf '%s\n' '# a remark' 'ORDER := id' >o/config.mk
    plain o/cls.ckpt OUT=o VOC=voc SEED=3 >/dev/null 2>&1
    run -0 plain o/cls.ckpt OUT=o SEED=4
    assert_line "settings: o/config.mk keeps SEED='4' for OUT=o; remove a line there to forget it"
    assert_output --partial "--seed 4"
    assert_equal "$(cat o/config.mk)" $'# a remark\nORDER := id\nVOC = voc\nSEED = 4'
    sed -i /SEED/d o/config.mk
    run -0 plain o/cls.ckpt OUT=o
    refute_output --partial "--seed 4"
    refute_output --partial "settings:"
    assert_equal "$(cat config.mk)" '# mine'
}

@test "questions, dry runs and commands without OUT keep nothing" {
    for goal in '-n csv' '-q csv' why status params-diff; do
        # shellcheck disable=SC2086 # an option and a goal
        run plain $goal OUT=o VOC=voc SEED=3
        [ ! -e o/config.mk ]
    done
    run -0 plain csv VOC=voc ORDER=id
    [ ! -e out/config.mk ]
}

@test "values with signs of make and of the shell come back as they were" {
    run -0 plain o/cls.ckpt OUT=o VOC=voc TRAINFLAGS='--set "a=#b"'
    run -0 plain -q o/cls.ckpt OUT=o
    assert_equal "$(grep TRAIN o/config.mk)" 'TRAINFLAGS = --set "a=\#b"'
}

@test "VOC on the command line takes the place of a kept JSON" {
    mkdir photos
    echo '{"images": []}' >coco.json
    plain csv OUT=o JSON=coco.json IMAGES=photos >/dev/null 2>&1
    run -0 plain csv OUT=o VOC=voc
    assert_equal "$(cat last.json2anno)" "--images voc/JPEGImages -o o/anno.tsv voc/annotations/pascal_train2007.json"
    run -0 plain -q csv OUT=o
}

@test "a misspelt variable stops make with the right name, which works" {
    for wrong in OUTT=o SIZZE=64 TRAINFLAG=x voc=voc VAL_PTC=0.1 SPLITSEED=7; do
        run -2 plain csv VOC=voc "$wrong"
        assert_output --regexp "there is no setting ${wrong%%=*} \\(do you mean [A-Z_]*\\?\\); .make help. lists them"
        assert_equal "${#lines[@]}" 1
        run -0 plain -n csv VOC=voc "$(meant)=${wrong#*=}"
    done
    run -2 plain csv VOC=voc PHOTOGRAPHS=x
    assert_output --partial "there is no setting PHOTOGRAPHS; "
    [ ! -e out ]
    # Builds are given variables of other packages, too.
    run -0 plain -n help CXX=g++ INSTALLDIRS=vendor
    run -2 plain -n all CFLGAS=-O0 CUDA=0
    assert_output --partial "do you mean CFLAGS?"
}

@test "VAL, RECIPES, WEIGHTS, VOC and JSON that are not there stop with the nearest name that is, which works" {
    echo 1.jpg >mine.txt
    cp -r recipes faster
    cp data/resnet34.safetensors mine.safetensors
    mkdir photos
    echo '{"images": []}' >coco.json
    local given name rest
    for given in 'VAL=mien.txt' 'RECIPES=fastre' 'WEIGHTS=data/resnet43.safetensors' 'VOC=vco' \
        'JSON=cocos.json IMAGES=photos' 'JSON=coco.json IMAGES=photo'; do
        # shellcheck disable=SC2086 # one or two settings
        run -2 plain out/cls.ckpt VOC=voc $given
        assert_output --partial "do you mean"
        [ ! -e out ]
        case $given in *IMAGES=photo) name=IMAGES rest=JSON=coco.json ;; *)
            name=${given%%=*} rest=${given#* }
            [ "$rest" != "$given" ] || rest=V=
            ;;
        esac
        run -0 plain -n out/cls.ckpt VOC=voc "$rest" "$name=$(meant)"
    done
    rm faster/cls.recipe
    run -2 plain out/cls.ckpt VOC=voc RECIPES=faster
    assert_output --partial "there is no file 'faster/cls.recipe'"
    run -0 plain out/bbox.ckpt VOC=voc RECIPES=faster
}

@test "PyTorch's weights are imported into OUT before a training, once" {
    echo pickle >resnet34-b627a593.pth
    printf 'PK\3\4' >model.bin
    for file in resnet34-b627a593.pth model.bin; do
        run -0 plain cls OUT="o.$file" VOC=voc WEIGHTS=$file
        assert_equal "$(cat last.import-weights)" "-o o.$file/weights.safetensors $file"
        assert_regex "$(cat last.train-cls)" "--weights o.$file/weights.safetensors"
        calls >/dev/null
        run -0 plain cls OUT="o.$file"
        assert_equal "$(calls)" ""
    done
    run -0 plain weights OUT=w WEIGHTS=model.bin
    assert_equal "$(calls)" import-weights
}

@test "make weights fetches the weights alone" {
    run -0 plain -n weights
    assert_output --regexp "scripts/data --into 'data' weights$"
}
