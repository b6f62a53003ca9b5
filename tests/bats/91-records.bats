# What make's records hold, what `make accept` does, and names that begin with ~/; with stand-ins for the programs.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
load ../lib/standins

setup() {
    standin_tree
}

@test "records have the text that they always had, so that a new version retrains nothing" {
    printf '%s\n' '# a remark' '' 'arch  resnet34 # that one' $'\tsize 224' 'phase top from layer3 lr 1e-5 epochs 2' \
        'phase  head from head lr 1e-2 epochs 3' \
        >recipes/cls.recipe
    run -0 mk out/cls.ckpt out/lr/cls.head.tsv out/lr/cls.top.tsv SEED=3
    settings=$(printf '%s\n' 'model_version 1' 'weights given' 'split train 0.2 42 set' 'size 224' 'seed 3' 'options ')
    run -0 cat out/.made/cls
    assert_output "$settings
arch resnet34
size 224
phase top from layer3 lr 1e-5 epochs 2
phase head from head lr 1e-2 epochs 3"
    run -0 cat out/.made/lr.cls.head
    assert_output "$settings
rates 1e-5 100
arch resnet34
size 224
phase head from head"
    run -0 cat out/.made/lr.cls.0
    assert_output "$settings
arch resnet34
size 224
phase head from head lr 1e-2 epochs 3"
    run -0 cat out/.made/lr.cls.top
    assert_output "$settings
rates 2e-8,2e-7,2e-5 10
arch resnet34
size 224
phase head from head lr 1e-2 epochs 3
phase top from layer3"
    # phase head is not the recipe's first one: the training's checkpoint after one phase is not that of head
    run -0 grep -h ^command out/log/lr.cls.0.log
    assert_output --partial "--until head"
    assert_equal "$(cat out/.made/csv)" "$(printf '%s\n' 'order set' 'val_pct 0.2' 'split_seed 42')"
    assert_equal "$(cat out/.made/cache)" "$(printf '%s\n' 'images voc/JPEGImages' 'size 224')"
}

@test "a full disk leaves no half checkpoint under a final name" {
    mk out/cls.ckpt >/dev/null
    later
    head -c 100000 /dev/zero >>out/cls.0.ckpt
    # shellcheck disable=SC2016 # for that shell
    run -2 bash -c 'ulimit -f 40; env -i PATH="$PATH" make VOC=voc out/lr/cls.0.ckpt'
    [ ! -e out/lr/cls.0.ckpt ]
    assert_equal "$(ls out/lr)" ""
    run -0 mk out/lr/cls.0.ckpt
    cmp out/cls.0.ckpt out/lr/cls.0.ckpt
}

@test "what is written through a link stays behind the link" {
    mkdir -p disk out
    echo SEED=1 >disk/mine.mk
    ln -s ../disk/mine.mk out/config.mk
    cp bin/mkcsv bin/draw-set
    run -0 mk out/.made/drawn
    [ -L out/config.mk ]
    grep -qx DEMO_SEED=1 disk/mine.mk
    ln -s ../disk/new.mk out/new.mk
    echo 2 | scripts/copy - out/new.mk
    [ -L out/new.mk ]
    assert_equal "$(cat disk/new.mk)" 2
    run -4 scripts/copy disk/mine.mk nowhere/mine.mk
    assert_output --partial nowhere
    assert_equal "$(ls disk)" "mine.mk
new.mk"
}

@test "scripts keep a program's promises: what was left goes, what another writes stays, file and folder are synced" {
    mkdir disk synced
    # shellcheck disable=SC2016 # for that script
    printf '#!/bin/sh\necho "$@" >>synced/calls\nexec %s "$@"\n' "$(command -v sync)" >synced/sync
    chmod +x synced/sync
    echo 1 >disk/f
    chmod 640 disk/f
    echo left >disk/f.tmp.1
    echo written >disk/f.tmp.2
    exec 7<disk/f.tmp.2
    flock 7
    ln -s f.tmp.2 disk/f.tmp.3
    echo 2 | PATH=$PWD/synced:$PATH scripts/copy - disk/f
    assert_equal "$(cat disk/f) $(stat -c %a disk/f)" "2 640"
    assert_equal "$(ls disk)" "$(printf '%s\n' f f.tmp.2 f.tmp.3)"
    assert_equal "$(cat synced/calls)" "$(printf -- "-- $PWD/%s\n" disk/f.tmp.1 disk/)"
    # what fails leaves what was there
    mkdir failing
    for tool in cat sync mv; do
        rm -f failing/*
        printf '#!/bin/sh\necho half\nexit 1\n' >failing/$tool
        chmod +x failing/$tool
        PATH=$PWD/failing:$PATH run -4 scripts/copy bin/largest disk/f
        assert_equal "$(ls disk)" "$(printf '%s\n' f f.tmp.2 f.tmp.3)"
        assert_equal "$(cat disk/f)" 2
    done
    # and signals leave nothing, while KILL leaves what the next one removes
    printf '#!/bin/sh\necho half\necho >begun\nexec sleep 0.5\n' >synced/cat
    chmod +x synced/cat
    for signal in HUP TERM KILL; do
        rm -f begun
        PATH=$PWD/synced:$PATH scripts/copy - disk/f </dev/null 3>&- 7>&- &
        until [ -e begun ]; do sleep 0.01; done
        kill -s $signal $!
        wait $! || true
        sleep 0.6
        [ -e disk/f.tmp.1 ] || [ $signal != KILL ]
        [ ! -e disk/f.tmp.1 ] || [ $signal = KILL ]
        assert_equal "$(cat disk/f)" 2
    done
    echo 3 | scripts/copy - disk/f
    assert_equal "$(ls disk)" "$(printf '%s\n' f f.tmp.2 f.tmp.3)"
    run -4 scripts/copy disk/f /dev/null
    assert_output "copy: /dev/null: is no regular file"
    [ -c /dev/null ]
}

@test "a record has the time at which its program began, and is not kept from being written by Ctrl-C" {
    # shellcheck disable=SC2016 # for that script
    printf '#!/bin/sh\n[ "$1" = --version ] && exit\nsleep 0.2\necho x >out/anno.tsv\n' >bin/json2anno
    run -0 mk out/anno.tsv
    [ out/anno.tsv -nt out/.made/anno ]
    [ out/.made/anno -nt voc/annotations/pascal_train2007.json ]
    assert_equal "$(ls -A out/.made)" anno
    # shellcheck disable=SC2016 # for that script
    printf '#!/bin/sh\n[ "$1" = --version ] && exit\necho y >out/anno.tsv\n' >bin/json2anno
    printf '#!/bin/sh\nkill -s INT 0\nkill -s TERM 0\nexec %s "$@"\n' "$(command -v sync)" >bin/sync
    chmod +x bin/sync
    rm out/.made/anno
    run setsid --wait env -i PATH="$PWD/bin:$PATH" make VOC=voc out/anno.tsv 3>&-
    [ -e out/.made/anno ]
}

@test "a file that was cut since it was made is remarked by the step that reads it" {
    run -0 mk out/cls.ckpt
    refute_output --partial "when it was made"
    bytes=$(stat -c %s out/lrg.csv)
    run -0 grep -h '^made: ' out/log/csv.log
    assert_line "made: out/lrg.csv, $bytes bytes"
    later
    sed -i '$d' out/lrg.csv
    run -0 mk out/cls.ckpt
    assert_line "cls: out/lrg.csv has $(stat -c %s out/lrg.csv) bytes and had $bytes bytes when it was made: \
changed, or copied in part"
}

@test "make accept keeps what was made from the model up to date" {
    products=(out/cls.{ckpt,history.tsv,batches.tsv,pred.tsv,metrics.json,grid.png,curves.png} \
        out/pictures/{09-cls-grid,21-cls-curves}.png)
    mk "${products[@]}" >/dev/null
    calls >/dev/null
    sed -i 's/1e-2/2e-2/' recipes/cls.recipe
    later
    before=$(tree_state)
    run -0 mk -n accept
    assert_equal "$(tree_state)" "$before"
    run -0 mk accept
    assert_output "out/cls: accepted as it is, with 8 files made from it"
    run -0 mk -q "${products[@]}"
    assert_equal "$(calls)" ""
}

@test "make accept keeps the page up to date that shows the models, and one of another reason stale" {
    mk out/report.html >/dev/null
    calls >/dev/null
    later
    run -0 mk accept SEED=9
    assert_output "out/cls: accepted as it is, with 4 files made from it
out/bbox: accepted as it is, with 4 files made from it
out/detn: accepted as it is, with 4 files made from it"
    run -0 mk -q out/report.html SEED=9
    later
    touch bin/report
    run -0 mk accept SEED=9
    run -1 mk -q out/report.html SEED=9
    assert_equal "$(calls)" ""
}

@test "make accept takes models whose records are not there, such as those of a copied folder" {
    mk out/cls.ckpt >/dev/null
    rm -r out/.made
    run -0 mk accept
    assert_output "out/cls: accepted as it is, with 0 files made from it"
    run -0 mk out/cls.ckpt
    assert_equal "$(grep -c train-cls calls)" 1
}

@test "make accept leaves stale what is so for another reason" {
    mk out/cls.metrics.json out/cls.curves.png out/bbox.ckpt >/dev/null
    calls >/dev/null
    later
    echo more >>out/val.txt # other pictures to judge
    touch bin/render
    run -0 mk accept
    run -0 mk -q out/cls.ckpt
    run -0 mk out/cls.metrics.json out/cls.curves.png
    assert_equal "$(calls)" "evaluate predict render"
    # predictions of an older model
    later
    mk out/cls.ckpt SEED=2 >/dev/null
    calls >/dev/null
    run -0 mk accept SEED=3
    run -0 mk out/cls.metrics.json SEED=3
    assert_equal "$(calls)" "evaluate predict"
}

@test "~/ is the home folder in every setting that names a file or a folder" {
    HOME=$PWD/home
    mkdir home
    cp -r voc data recipes home
    cp home/data/resnet34.safetensors home/weights
    echo 1.jpg >home/mine.txt
    in_home=(VOC='~/voc' OUT='~/o' VAL='~/mine.txt' RECIPES='~/recipes' WEIGHTS='~/weights')
    run -0 mk "${in_home[@]}" "$HOME/o/cls.metrics.json"
    [ -e home/o/cls.ckpt ]
    grep -q -e "--val $HOME/mine.txt --weights $HOME/weights --recipe $HOME/recipes/cls.recipe" last.train-cls
    echo 'SEED = 5' >home/o/config.mk
    run -0 mk -n "${in_home[@]}" "$HOME/o/cls.ckpt"
    assert_output --partial "--seed 5"
    run -0 mk -n csv JSON='~/voc/annotations/pascal_train2007.json' IMAGES='~/voc/JPEGImages'
    assert_output --partial " $HOME/voc/annotations/pascal_train2007.json"
    cp -r bin home
    touch home/bin/draw-set bin/import-weights
    run -0 mk -n demo DEMO_OUT='~/demo' BIN='~/bin'
    assert_output --partial "$HOME/bin/draw-set"
    assert_output --partial "$HOME/demo/voc"
    refute_output --partial '~'
    run -0 mk -n data DATA='~/data' BIN=bin
    refute_output --partial '~'
    run mk -pq all PREFIX='~/p' BUILD='~/build' BIN='~/bin'
    for name in PREFIX BUILD BIN; do
        assert_output --regexp "$name := $HOME/(p|build|bin)"
    done
    [ ! -e '~' ]
}

# shellcheck disable=SC2016 # for those shells
@test "a folder of recipes that is not there, or has = in its name, does not make awk wait for standard input" {
    run -0 mk out/cls.ckpt
    mkfifo never
    exec 7<>never
    run -2 timeout 20 bash -c 'env -i PATH="$PATH" make VOC=voc RECIPES=typo out/cls.ckpt <&7'
    assert_output --partial "'typo/cls.recipe'"
    mv recipes a=b
    run -0 timeout 20 bash -c 'env -i PATH="$PATH" make VOC=voc RECIPES=a=b -q out/cls.ckpt <&7'
    cp out/val.txt v=1
    run -0 timeout 20 bash -c 'env -i PATH="$PATH" make VOC=voc VAL=v=1 out/pictures/05-cls-sample.png <&7'
    exec 7>&-
}
