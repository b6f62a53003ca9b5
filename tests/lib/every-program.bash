# One quick command for each program, for tests that disturb all of them: faults and storm.
# shellcheck shell=bash
# Works in the folder it is called from: inputs in in/, outputs to out/. BIN and HELPERS are absolute.
# $threads: how many threads programs have [1].

make_inputs() {
    cat >in/tiny.recipe <<'END'
arch tiny
size 64
batch 16
precision tf32
augment flip 0.5
phase all from conv1 lr 2e-3 triangular 32 5 epochs 2
END
    "$BIN/draw-set" --pictures 12 --seed 3 -o in/voc
    "$BIN/voc2json" -o in/voc.json in/voc
    "$BIN/json2anno" --keep-ignored --images in/voc/JPEGImages -o in/anno.tsv in/voc.json
    "$BIN/json2anno" --images in/voc/JPEGImages -o in/kept.tsv in/voc.json
    "$BIN/largest" -o in/largest.tsv in/kept.tsv
    "$BIN/mkcsv" --order set --lrg in/lrg.csv --bb in/bb.csv --val in/val.txt in/largest.tsv
    "$BIN/resize-cache" --size 64 --images in/voc/JPEGImages -o in/64.cache in/lrg.csv
    for model in cls detn objects; do
        training $model
        "$BIN/train-$model" "${train[@]}" -o in/$model.ckpt
        "$BIN/predict" --ckpt in/$model.ckpt --cache in/64.cache --only in/val.txt --frame 64 -o in/$model.pred.tsv
    done
    "$HELPERS/torchfile" resnet18 in/resnet18.pth bf16
    "$BIN/predict" --all --min 0.01 --ckpt in/objects.ckpt --cache in/64.cache -o in/all.tsv
    "$BIN/evaluate" --anno in/kept.tsv --pred in/detn.pred.tsv -o in/detn.metrics.json
    mkdir -p in/run
    cp in/{kept.tsv,largest.tsv,lrg.csv,bb.csv,val.txt,detn.*} in/run
    mv in/run/kept.tsv in/run/anno.tsv
}

# Makes them, unless they are there.
inputs() {
    mkdir -p in
    [ -e in/run/detn.ckpt ] || make_inputs >log 2>&1 || {
        cat log
        return 1
    }
}

# What a training reads, in $train.
training() { # MODEL
    train=(--cache in/64.cache --val in/val.txt --weights none --recipe in/tiny.recipe --threads "${threads:-1}")
    case $1 in
    cls) train+=(--lrg in/lrg.csv) ;;
    bbox) train+=(--bb in/bb.csv) ;;
    detn) train+=(--lrg in/lrg.csv --bb in/bb.csv) ;;
    objects) train+=(--anno in/anno.tsv) ;;
    esac
}

# The command of a program in $command.
command_of() {
    training "${1#train-}"
    case $1 in
    draw-set) command=(--pictures 3 --seed 5 --threads "${threads:-1}" -o out/set) ;;
    voc2json) command=(-o out/voc.json in/voc) ;;
    json2anno) command=(--images in/voc/JPEGImages -o out/anno.tsv in/voc.json) ;;
    largest) command=(-o out/largest.tsv in/kept.tsv) ;;
    mkcsv) command=(--order set --lrg out/lrg.csv --bb out/bb.csv --val out/val.txt in/largest.tsv) ;;
    resize-cache) command=(--size 64 --threads "${threads:-1}" --images in/voc/JPEGImages -o out/64.cache in/lrg.csv) ;;
    import-weights) command=(-o out/weights.safetensors in/resnet18.pth) ;;
    train-*) command=("${train[@]}" -o "out/${1#train-}.ckpt") ;;
    predict) command=(--threads "${threads:-1}" --ckpt in/detn.ckpt --cache in/64.cache -o out/pred.tsv) ;;
    evaluate) command=(--anno in/kept.tsv --pred in/detn.pred.tsv -o out/metrics.json) ;;
    render)
        command=(--kind grid --pred in/detn.pred.tsv --anno in/largest.tsv --images in/voc/JPEGImages)
        command+=(-o out/grid.png)
        ;;
    report) command=(-o out/report.html in/run) ;;
    *)
        echo "faults: no program $1" >&2
        exit 2
        ;;
    esac
}
# shellcheck disable=SC2034 # for those who read this
programs=(draw-set voc2json json2anno largest mkcsv resize-cache import-weights train-cls train-bbox train-detn
    train-objects predict evaluate render report)

# Files of a folder with what tells them apart; histories, batches, pages and .sources hold seconds, dates and times.
contents() {
    (cd "$1" && find . -type f ! -name '*.history.tsv' ! -name '*.batches.tsv' ! -name '*.html' ! -name '*.sources' \
        -exec sha256sum {} + | sort -k 2)
}
