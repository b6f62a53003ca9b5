# What make runs again, and what it leaves alone; with stand-ins for the programs.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
load ../lib/standins

setup() {
    standin_tree
}

trained() { # everything for the named models is there and the list of calls is empty
    mk "${@/#/out\/}" >/dev/null
    calls >/dev/null
    later
}

@test "make out/detn.ckpt runs what it needs and no more" {
    run -0 mk out/detn.ckpt
    assert_equal "$(calls)" "json2anno largest mkcsv resize-cache train-detn"
    [ ! -e out/cls.ckpt ]
}

@test "text stages alone need neither pictures' cache nor weights" {
    rm data/resnet34.safetensors
    run -0 mk csv
    assert_equal "$(calls)" "json2anno largest mkcsv"
}

@test "every product is made by its name" {
    for model in cls bbox detn; do
        for product in ckpt history.tsv batches.tsv pred.tsv metrics.json grid.png curves.png; do
            run -0 mk "out/$model.$product"
            [ -e "out/$model.$product" ]
        done
    done
    assert_equal "$(calls | tr ' ' '\n' | uniq -c | awk '{print $1 $2}' | tr '\n' ' ')" \
        "3evaluate 1json2anno 1largest 1mkcsv 3predict 6render 1resize-cache 1train-bbox 1train-cls 1train-detn "
}

@test "a second make runs nothing and says so" {
    trained cls.ckpt bbox.ckpt detn.metrics.json
    run -0 mk out/cls.ckpt out/detn.metrics.json
    assert_output --partial "'out/cls.ckpt' is up to date"
    assert_output --partial "'out/detn.metrics.json' is up to date"
    assert_equal "$(calls)" ""
    run -0 mk -q out/cls.ckpt out/bbox.ckpt out/detn.metrics.json
}

@test "a dry run touches nothing, before and after the first run" {
    before=$(tree_state)
    run -0 mk -n out/detn.metrics.json
    assert_output --partial "bin/train-detn"
    run -1 mk -q out/detn.metrics.json
    assert_equal "$(tree_state)" "$before"
    trained detn.metrics.json
    touch voc/JPEGImages/1.jpg
    before=$(tree_state)
    run -0 mk -n out/detn.metrics.json ORDER=id
    assert_output --partial "bin/train-detn"
    assert_output --partial "bin/evaluate"
    run -0 mk -n out/detn.metrics.json
    refute_output --partial "bin/train-detn"
    run -1 mk -q out/detn.metrics.json
    assert_equal "$(tree_state)" "$before"
}

@test "a dry run says nothing when there is nothing to do" {
    trained detn.metrics.json
    run -0 mk -n out/detn.metrics.json
    assert_output "make: 'out/detn.metrics.json' is up to date."
}

@test "a changed comment or blank in a recipe retrains nothing" {
    trained cls.ckpt detn.ckpt
    { echo "# a remark"; echo; sed 's/ /  /g; s/# first/# the first phase/' recipes/detn.recipe; } >new
    mv new recipes/detn.recipe
    run -0 mk -q out/detn.ckpt
    run -0 mk out/cls.ckpt out/detn.ckpt
    assert_equal "$(calls)" ""
}

@test "a changed rate retrains that model only" {
    trained cls.ckpt bbox.ckpt detn.ckpt
    sed -i 's/1e-2/2e-2/' recipes/bbox.recipe
    run -1 mk -q out/bbox.ckpt
    run -0 mk out/cls.ckpt out/bbox.ckpt out/detn.ckpt
    assert_equal "$(calls)" "train-bbox"
    run -0 mk -q out/bbox.ckpt
}

@test "two lines of a recipe changing places count as a change" {
    trained cls.ckpt
    printf 'augment flip 0.5\naugment rotate 3 0.5\n' >>recipes/cls.recipe
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "train-cls"
    later
    sed -i '/flip/d' recipes/cls.recipe
    echo 'augment flip 0.5' >>recipes/cls.recipe
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "train-cls"
}

@test "a setting that was changed and changed back retrains nothing" {
    trained cls.ckpt
    sed -i 's/1e-2/2e-2/' recipes/cls.recipe
    run -1 mk -q out/cls.ckpt
    sed -i 's/2e-2/1e-2/' recipes/cls.recipe
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" ""
}

@test "a touched but unchanged picture retrains nothing" {
    trained cls.ckpt
    touch voc/JPEGImages/1.jpg
    run -1 mk -q out/cls.ckpt
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "json2anno resize-cache"
    run -0 mk -q out/cls.ckpt
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" ""
}

@test "a changed, a new and a removed picture retrain, also with blanks in the name" {
    trained cls.ckpt
    echo other >"voc/JPEGImages/photo 2.jpg"
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "json2anno resize-cache train-cls"
    later
    echo three >"voc/JPEGImages/3.jpg"
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "json2anno resize-cache train-cls"
    later
    rm "voc/JPEGImages/3.jpg"
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "json2anno resize-cache train-cls"
}

@test "a picture replaced by one with an old date is noticed" {
    trained cls.ckpt
    echo older >voc/JPEGImages/1.jpg
    touch -d 2001-01-01 voc/JPEGImages/1.jpg
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "json2anno resize-cache train-cls"
}

@test "touched annotations are read again and retrain nothing; changed ones retrain" {
    trained cls.ckpt
    touch voc/annotations/pascal_train2007.json
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "json2anno"
    run -0 mk -q out/cls.ckpt
    later
    echo '{"images": [1]}' >voc/annotations/pascal_train2007.json
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "json2anno largest mkcsv resize-cache train-cls"
}

@test "another ORDER makes new tables and retrains" {
    trained cls.ckpt
    run -0 mk out/cls.ckpt ORDER=id
    assert_equal "$(calls)" "mkcsv resize-cache train-cls"
    run -0 mk -q out/cls.ckpt ORDER=id
    run -1 mk -q out/cls.ckpt
}

@test "SEED and TRAINFLAGS are settings of the training; THREADS is none" {
    trained cls.ckpt
    run -0 mk out/cls.ckpt THREADS=3
    assert_equal "$(calls)" ""
    run -0 mk out/cls.ckpt SEED=7
    assert_equal "$(calls)" "train-cls"
    grep -q -e "--seed 7 " last.train-cls
    run -0 mk out/cls.ckpt SEED=7 TRAINFLAGS='--set batch=32'
    assert_equal "$(calls)" "train-cls"
    grep -q -e "--set batch=32 -o out/cls.ckpt" last.train-cls
}

@test "a training is not repeated for a new program, a text stage is" {
    trained cls.metrics.json
    touch bin/train-cls
    run -0 mk out/cls.metrics.json
    assert_equal "$(calls)" ""
    touch bin/mkcsv bin/evaluate
    run -0 mk out/cls.metrics.json
    assert_equal "$(calls)" "evaluate mkcsv"
}

@test "a raised MODEL_VERSION retrains" {
    trained cls.ckpt
    sed -i 's/^MODEL_VERSION := .*/MODEL_VERSION := 1000/' pipeline.mk
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "train-cls"
}

@test "weights count by content: touched or moved ones retrain nothing, others do" {
    trained cls.ckpt
    touch data/resnet34.safetensors
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" ""
    cp data/resnet34.safetensors elsewhere
    run -0 mk out/cls.ckpt WEIGHTS=elsewhere
    assert_equal "$(calls)" ""
    later
    echo better >elsewhere
    run -0 mk out/cls.ckpt WEIGHTS=elsewhere
    assert_equal "$(calls)" "train-cls"
    run -0 mk out/cls.ckpt WEIGHTS=none
    assert_equal "$(calls)" "train-cls"
    grep -q -e "--weights none" last.train-cls
}

@test "a deleted product is made again, once" {
    trained cls.ckpt
    rm out/bb.csv out/val.txt
    run -0 mk out/bb.csv out/val.txt
    assert_equal "$(calls)" "mkcsv"
    [ -e out/bb.csv ]
    [ -e out/val.txt ]
    rm out/224.cache
    run -0 mk cache
    assert_equal "$(calls)" "resize-cache"
    trained cls.ckpt
    rm out/cls.history.tsv
    run -0 mk out/cls.ckpt out/cls.history.tsv
    assert_equal "$(calls)" "train-cls"
}

@test "an edited list of validation pictures retrains" {
    trained cls.ckpt
    echo more >>out/val.txt
    run -0 mk out/cls.ckpt
    assert_equal "$(calls)" "train-cls"
    cp out/val.txt mine.txt
    run -0 mk out/cls.ckpt VAL=mine.txt
    assert_equal "$(calls)" "train-cls"
    grep -q -e "--val mine.txt" last.train-cls
}

@test "a failed training leaves its history and phase checkpoints, and is tried again" {
    touch fail.train-detn
    run -2 mk out/detn.metrics.json
    assert_equal "$(calls)" "json2anno largest mkcsv resize-cache train-detn"
    [ -e out/detn.0.ckpt ]
    [ -e out/detn.history.tsv ]
    [ ! -e out/detn.ckpt ]
    run -1 mk -q out/detn.history.tsv
    run -1 mk -q out/detn.ckpt
    run -2 mk out/detn.history.tsv
    [ -e out/detn.0.ckpt ]
    [ -e out/detn.history.tsv ]
    calls
    rm fail.train-detn
    run -0 mk out/detn.metrics.json
    assert_equal "$(calls)" "evaluate predict train-detn"
}

@test "a failed second training leaves the first model, and is tried again" {
    trained cls.ckpt
    model=$(cat out/cls.ckpt)
    touch fail.train-cls
    run -2 mk out/cls.ckpt SEED=2
    assert_equal "$(cat out/cls.ckpt)" "$model"
    run -1 mk -q out/cls.ckpt SEED=2
    touch out/val.txt
    run -2 mk out/cls.history.tsv
    run -1 mk -q out/cls.ckpt
    assert_equal "$(cat out/cls.ckpt)" "$model"
}

@test "a failing stage stops what depends on it and goes no further" {
    touch fail.json2anno
    run -2 mk out/cls.ckpt
    assert_line --partial "told to fail"
    assert_equal "$(calls)" "json2anno"
    [ ! -e out/largest.tsv ]
    run -1 mk -q out/anno.tsv
}

@test "with -j trainings run one at a time, and no model waits for one that nobody asked for" {
    touch slow
    run -0 mk -j4 out/cls.ckpt out/detn.ckpt
    assert_equal "$(calls)" "json2anno largest mkcsv resize-cache train-cls train-detn"
    [ ! -e out/bbox.ckpt ]
}

@test "a training that another make runs is waited for" {
    mk csv cache >/dev/null
    calls >/dev/null
    touch slow
    mk out/cls.ckpt >/dev/null 2>&1 &
    while [ ! -d running ]; do sleep 0.01; done
    run -0 mk out/detn.ckpt
    assert_line --partial "waiting for the training that is running"
    wait
    assert_equal "$(calls)" "train-cls train-detn"
}

@test "two makes at once on one OUT do each step once, and both end well" {
    goals=(cls bbox detn out/pictures/{05-cls-sample,09-cls-grid}.png)
    run -0 mk "${goals[@]}"
    alone=$(calls)
    touch slow
    for round in 1 2 3; do
        rm -r out
        mk -j2 "${goals[@]}" >first 2>&1 &
        run -0 mk -j$round "${goals[@]}"
        wait $!
        cat first
        assert_equal "$(calls)" "$alone"
        cat first - <<<"$output" | grep "another make has done it"
        run -0 mk -q "${goals[@]}"
    done
}

@test "what another make does with other settings is waited for, and then done anew" {
    mk csv cache >/dev/null
    calls >/dev/null
    touch slow
    mk out/cls.ckpt SEED=1 >/dev/null 2>&1 &
    while [ ! -d running ]; do sleep 0.01; done
    run -0 mk out/cls.ckpt SEED=2
    assert_line --partial "cls: waiting for the same step, which another make runs"
    wait $!
    assert_equal "$(calls)" "train-cls train-cls"
    grep -q -e "--seed 2" last.train-cls
    run -0 mk -q out/cls.ckpt SEED=2
}

@test "a make that is ended while it waits leaves what another one has made" {
    mk out/cls.ckpt >/dev/null
    for signal in TERM INT; do
        rm -f out/cls.pred.tsv
        exec 7>>out/log/cls.pred.log
        flock 7
        env -i PATH="$PATH" env --default-signal=INT setsid make VOC=voc out/cls.pred.tsv >said 2>&1 3>&- 7>&- &
        until grep -q "waiting for the same step" said; do sleep 0.01; done
        sleep 0.02
        echo made >out/cls.pred.tsv
        kill -s $signal -- -$!
        wait $! || true
        exec 7>&-
        cat said
        assert_equal "$(cat out/cls.pred.tsv)" made
        # and nobody waits any more
        flock --timeout 2 out/log/cls.pred.log true
    done
    printf '#!/bin/sh\necho other >out/cls.pred.tsv\nexit 4\n' >bin/predict
    run -2 mk out/cls.pred.tsv
    assert_equal "$(cat out/cls.pred.tsv)" other
}

@test "ending make ends the training; nothing half made counts as done" {
    touch hang
    env -i PATH="$PATH" make VOC=voc out/cls.ckpt >/dev/null 2>&1 3>&- &
    until [ -e hanging ]; do sleep 0.01; done
    kill -TERM $!
    wait $! || true
    # the lock is free at once: no training was left behind
    flock --nonblock out/.made/.alone true
    [ ! -e out/cls.ckpt ]
    [ ! -e out/.made/cls ]
    grep -q '^exit: 143' out/log/cls.log
    run -1 mk -q out/cls.ckpt
}

@test "without data make refuses in two lines that name the ways on, and makes nothing" {
    run -2 env -i PATH="$PATH" make VOC=nowhere out/detn.ckpt
    assert_equal "${#lines[@]}" 2
    assert_line --index 0 --partial "make data"
    assert_line --index 0 --partial "make demo"
    assert_line --index 1 --partial "VOC=DIR"
    assert_line --index 1 --partial "JSON=FILE IMAGES=DIR"
    [ ! -e out ]
    run -2 env -i PATH="$PATH" make VOC=nowhere csv
    assert_equal "${#lines[@]}" 2
}

@test "without weights make refuses in two lines, before it scales pictures" {
    run -2 mk out/detn.ckpt WEIGHTS=nowhere
    assert_equal "${#lines[@]}" 2
    assert_line --index 0 --partial "no weights at nowhere"
    assert_line --index 0 --partial "make weights"
    assert_line --index 0 --partial "make demo"
    assert_line --index 1 --partial "WEIGHTS=FILE"
    assert_line --index 1 --partial "WEIGHTS=none"
    assert_equal "$(calls)" ""
}

@test "a VOC devkit of XML files goes through voc2json, with the list of SPLIT" {
    mkdir -p devkit/Annotations devkit/ImageSets/Main devkit/JPEGImages
    echo '<annotation/>' >devkit/Annotations/000001.xml
    echo 000001 >devkit/ImageSets/Main/trainval.txt
    echo picture >devkit/JPEGImages/000001.jpg
    run -0 mk csv VOC=devkit SPLIT=trainval
    assert_equal "$(calls)" "json2anno largest mkcsv voc2json"
    assert_equal "$(cat last.voc2json)" "--split trainval -o out/voc.json devkit"
    run -0 mk -q csv VOC=devkit SPLIT=trainval
    later
    echo '<annotation>1</annotation>' >devkit/Annotations/000001.xml
    run -0 mk csv VOC=devkit SPLIT=trainval
    assert_equal "$(calls)" "json2anno largest mkcsv voc2json"
    later
    echo 000001 >>devkit/ImageSets/Main/trainval.txt
    run -0 mk csv VOC=devkit SPLIT=trainval
    assert_equal "$(calls)" "json2anno voc2json"
}

@test "VOC may name a folder with one COCO export; with several make asks which" {
    mkdir -p coco/annotations coco/images export
    echo '{}' >coco/annotations/instances_default.json
    echo picture >coco/images/1.jpg
    run -0 mk cache VOC=coco
    assert_equal "$(calls)" "json2anno largest mkcsv resize-cache"
    assert_equal "$(cat last.json2anno)" "--images coco/images -o out/anno.tsv coco/annotations/instances_default.json"
    assert_equal "$(cat last.resize-cache)" "--images coco/images -o out/224.cache out/lrg.csv"
    echo '{}' >coco/result.json
    run -2 mk cache VOC=coco
    assert_output --partial "there are 2 JSON files in coco; name one:\
 JSON=coco/annotations/instances_default.json IMAGES=coco/images"
    # pictures beside the JSON
    echo '{}' >export/_annotations.coco.json
    echo picture >export/1.jpg
    run -0 mk cache VOC=export OUT=out2
    assert_equal "$(cat last.resize-cache)" "--images export -o out2/224.cache out2/lrg.csv"
}

@test "without ImageSets all XML files are taken" {
    mkdir -p devkit/Annotations devkit/JPEGImages
    echo '<annotation/>' >devkit/Annotations/1.xml
    run -0 mk csv VOC=devkit
    assert_equal "$(cat last.voc2json)" "-o out/voc.json devkit"
}

@test "JSON and IMAGES override VOC" {
    mkdir photos
    echo photo >photos/a.jpg
    echo '{}' >coco.json
    run -0 mk cache JSON=coco.json IMAGES=photos
    assert_equal "$(cat last.json2anno)" "--images photos -o out/anno.tsv coco.json"
    assert_equal "$(cat last.resize-cache)" "--images photos -o out/224.cache out/lrg.csv"
    run -2 mk cache JSON=coco.json
    assert_output --partial "JSON=coco.json needs IMAGES=DIR"
    run -2 mk cache JSON=none.json IMAGES=photos
    assert_output --partial "there is no file JSON=none.json"
    run -2 mk cache JSON=coco.json IMAGES=none
    assert_output --partial "there is no folder none"
}

@test "another source of the same content retrains nothing" {
    trained cls.ckpt
    cp -r voc moved
    run -0 mk out/cls.ckpt VOC=moved
    refute_line --partial train-cls
    run -0 mk -q out/cls.ckpt VOC=moved
}

@test "names that make can't handle are refused in one line" {
    for name in 'my voc' 'a:b' 'a%b' "a'b" 'a#b' 'a*b' 'a[b' "\$\$x" -a; do
        for setting in VOC OUT RECIPES DATA; do
            run -2 mk csv "$setting=$name"
            assert_equal "${#lines[@]}" 1
            assert_output --partial "$setting="
            assert_output --partial "ln -s"
        done
    done
    for goal in why status demo csv; do # make takes the name of a product for a setting then
        for setting in OUT DEMO_OUT; do
            run -2 mk "$goal" "$setting=a=b"
            assert_equal "${#lines[@]}" 1
            assert_output --partial "$setting='a=b': make cannot handle = in a file name"
        done
    done
    for setting in OUT DEMO_OUT DATA VOC RECIPES WEIGHTS VAL BIN; do # the products would go to /
        run -2 mk csv "$setting= "
        assert_equal "${#lines[@]}" 1
        assert_output --partial "$setting is empty"
    done
    assert_equal "$(calls)" ""
}

@test "blanks around a name are no part of it" {
    run -0 mk csv OUT=' o ' DATA=' data ' RECIPES='recipes '
    [ -e o/bb.csv ]
    run -0 mk -q csv OUT=o
}

@test "names with a comma, or with ./ before them, are like others" {
    mv voc v,1
    run -0 mk cls VOC=v,1 OUT=./o,1
    run -0 mk -q cls VOC=v,1 OUT=o,1
    run -0 mk status VOC=v,1 OUT=./o,1
    refute_output --partial stale
    later
    echo three >v,1/JPEGImages/3.jpg
    run -0 mk why VOC=v,1 OUT=./o,1 T=./o,1/cls.ckpt
    assert_line "cache: new files in v,1/JPEGImages"
}

@test "a project folder with a blank in its own name works" {
    standin_tree "$BATS_TEST_TMPDIR/my project"
    run -0 mk out/cls.metrics.json
    run -0 mk -q out/cls.metrics.json
    run -0 mk status params-diff why
}

@test "OUT puts all products elsewhere" {
    run -0 mk OUT=tries/one tries/one/cls.metrics.json
    [ -e tries/one/cls.ckpt ]
    [ -e tries/one/log/cls.log ]
    [ ! -e out ]
    run -0 mk -q OUT=tries/one tries/one/cls.metrics.json
}

@test "lines in config.mk keep settings" {
    echo 'SEED = 5' >config.mk
    run -0 mk out/cls.ckpt
    grep -q -e "--seed 5 " last.train-cls
}

@test "each run leaves a log with command, version, times, exit status and what was said" {
    touch fail.train-cls
    run -2 mk out/cls.ckpt
    run -0 cat out/log/cls.log
    assert_line --index 0 --partial "command: bin/train-cls --cache out/224.cache --lrg out/lrg.csv --val out/val.txt"
    assert_line "version: train-cls (stand-in) 0"
    assert_line --regexp '^start: 20'
    assert_line "train-cls: told to fail"
    assert_line --regexp '^end: 20'
    assert_line --regexp '^seconds: [0-9]+\.[0-9]$'
    assert_line "exit: 4"
}

@test "a program has the terminal for its progress bar" {
    command -v script >/dev/null || skip "script (bsdutils) is not installed"
    printf '#!/bin/sh\n%s\n%s\n' '[ ! -t 2 ] || touch terminal' 'cp voc/annotations/*.json out/anno.tsv' >bin/json2anno
    run -0 script -qec "env -i PATH='$PATH' make VOC=voc out/anno.tsv" /dev/null
    [ -e terminal ]
}

@test "make why names the reasons" {
    run -0 mk why T=out/cls.pred.tsv
    assert_line "csv: never finished before"
    assert_line "cls: never finished before"
    assert_line "out/cls.pred.tsv: not there"
    trained cls.pred.tsv
    run -0 mk why T=out/cls.pred.tsv
    assert_output ""
    touch voc/annotations/pascal_train2007.json voc/JPEGImages/1.jpg
    sed -i 's/1e-2/2e-2/' recipes/cls.recipe
    run -0 mk why T=out/cls.pred.tsv
    assert_line "anno: voc/annotations/pascal_train2007.json is newer, new files in voc/JPEGImages"
    assert_line "cache: new files in voc/JPEGImages"
    assert_line "cls: other settings, see make params-diff"
    assert_line "out/cls.pred.tsv: out/cls.ckpt is newer"
    rm out/bb.csv
    run -0 mk why T=out/bb.csv
    assert_line --partial "csv: an output was deleted"
}

@test "FRESH=1 starts interrupted trainings anew, and is no setting of a model" {
    run -0 mk -n out/cls.ckpt FRESH=1
    assert_output --regexp 'train-cls .* --fresh +-o out/cls.ckpt'
    mk out/cls.ckpt FRESH=1 >/dev/null
    run -0 mk -q out/cls.ckpt
}

@test "RESUME=1 asks trainings to go on with what was interrupted, and is no setting of a model" {
    run -0 mk -n out/cls.ckpt RESUME=1
    assert_output --regexp 'train-cls .* --resume -o out/cls.ckpt'
    run -0 mk -n out/cls.ckpt
    refute_output --partial "--resume"
    trained cls.ckpt
    run -0 mk -q out/cls.ckpt RESUME=1
    mk out/bbox.ckpt RESUME=1 >/dev/null
    run -0 mk -q out/bbox.ckpt
}

@test "other settings and a deleted output at once are two reasons" {
    trained cls.ckpt
    rm out/cls.ckpt
    run -0 mk why T=out/cls.ckpt SEED=5
    assert_line "cls: other settings, see make params-diff, an output was deleted"
    run -0 mk out/cls.ckpt SEED=5
    assert_equal "$(calls)" "train-cls"
}

@test "make params-diff shows old and new settings" {
    trained cls.ckpt
    run -0 mk params-diff
    assert_output ""
    sed -i 's/1e-2/2e-2/' recipes/cls.recipe
    run -0 mk params-diff ORDER=id
    assert_line "csv:"
    assert_line "  was order set"
    assert_line "  now order id"
    assert_line --partial "  was phase head from head lr 1e-2"
    assert_line --partial "  now phase head from head lr 2e-2"
}

@test "make accept calls the models up to date" {
    trained cls.ckpt
    sed -i 's/1e-2/2e-2/' recipes/cls.recipe
    echo more >>out/val.txt
    run -1 mk -q out/cls.ckpt
    model=$(cat out/cls.ckpt)
    later
    run -0 mk accept
    run -0 mk -q out/cls.ckpt
    assert_equal "$(cat out/cls.ckpt)" "$model"
    assert_equal "$(calls)" ""
    [ ! -e out/.made/detn ]
}

@test "make status tells missing, stale and up to date" {
    trained cls.ckpt
    touch out/val.txt
    run -0 mk status T="out/lrg.csv out/cls.ckpt out/detn.ckpt"
    assert_line --regexp '^out/lrg.csv .* up to date +[0-9.]+$'
    assert_line --regexp '^out/cls.ckpt .* stale '
    assert_line --regexp '^out/detn.ckpt .* missing '
}

@test "asking whether anything is to be done takes less than 0.1 s with 2501 pictures" {
    (cd voc/JPEGImages && touch {000001..002501}.jpg)
    trained detn.ckpt
    mk -q out/detn.ckpt
    best=9999
    TIMEFORMAT='%U %S'
    for _ in 1 2 3 4 5; do # processor time, best of five: the machine may be busy
        read -r user system < <({ time mk -q out/detn.ckpt >&2; } 2>&1)
        took=$((10#${user/./} + 10#${system/./}))
        [ "$took" -ge "$best" ] || best=$took
    done
    echo "$best ms"
    [ "$best" -gt 0 ]
    [ "$best" -lt 100 ]
}
