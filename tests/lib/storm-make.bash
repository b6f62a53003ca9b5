# The parts of storm that are about `make` and about two writers at once; sourced by it.
# shellcheck shell=bash disable=SC2154 # here and BIN are set by storm
# `make`: the pipeline on twelve drawings, killed in four ways by turns: make with all that it runs, make alone, one of
# the processes that it runs, and make with all that it runs while another make works on the same OUT, which has to end
# well. What runs on without its make is left running, for the next make to meet.
# `pairs`: two programs in two namespaces of process numbers, where both have the same one, write one file.

# ---------------------------------------------------------------- make

make_tree() {
    local model root=$here/../..
    rm -rf tree
    mkdir -p tree/recipes
    cp "$root/Makefile" "$root/pipeline.mk" tree
    cp -r "$root/scripts" tree
    for model in cls bbox detn objects; do
        printf '%s\n' 'arch tiny' 'size 64' 'batch 4' 'augment flip 0.5' \
            'phase head from head lr 1e-2 triangular 32 5 epochs 2' \
            'phase all from conv1 lr 2e-3 triangular 32 5 epochs 3' >tree/recipes/$model.recipe
    done
}

# The command of a make in a session of its own, whose number is that of the process. (An interactive shell would give
# INT back to its jobs.)
start_make() { # FILE FOR WHAT IT SAYS [VARIABLE=VALUE…]
    local said=$1
    shift
    (cd tree && exec setsid env --default-signal=INT -i PATH="$PATH" HOME="$HOME" make --no-print-directory -j2 \
        BIN="$BIN" VOC=../in/voc SPLIT=trainval SIZE=64 WEIGHTS=none THREADS=1 OUT=out TRAINFLAGS='--state-every 0' \
        "$@" "${goals[@]}") >"$said" 2>&1 </dev/null &
    sessions+=($!)
}

# Processes of a session, one a line. (The name in a stat file may hold blanks and brackets.)
processes() { # SESSION
    local file line fields
    for file in /proc/[0-9]*/stat; do
        { line=$(<"$file"); } 2>/dev/null || continue
        read -ra fields <<<"${line##*) }"
        [ "${fields[3]}" != "$1" ] || [ "${fields[0]}" = Z ] || echo "${line%% *}"
    done
}

# Waits for what still runs of all makes.
settle() {
    local session n
    for session in "${sessions[@]}"; do
        for ((n = 0; n < 600; n++)); do
            [ -n "$(processes "$session")" ] || break
            sleep 0.1
        done
        [ "$n" -lt 600 ] || wrong "runs on: $(processes "$session")"
    done
    sessions=()
}

strike() { # WAY SIGNAL SESSION
    local victims
    case $1 in
    make) kill -s "$2" "$3" ;;
    one)
        mapfile -t victims < <(processes "$3" | grep -vx "$3")
        [ ${#victims[@]} -eq 0 ] || kill -s "$2" "${victims[RANDOM % ${#victims[@]}]}"
        ;;
    *) kill -s "$2" -- -"$3" ;;
    esac 2>/dev/null
}

whole_files() { # WHEN
    local name
    for name in $(cd tree/out 2>/dev/null && find . -type f ! -path './log/*'); do
        case $name in *.tmp.* | *.history.tsv | *.batches.tsv | *.sources | *.state | *.html) continue ;; esac
        [ ! -e "tree/out/$name" ] || cmp -s "tree/out/$name" "make-good/$name" || wrong "$name is not whole $1"
    done
}

# All of an OUT that does not differ from run to run: its names, its files, its tables without seconds.
all_of() { # FOLDER
    (cd "$1" && find . | sort)
    contents "$1" | grep -v ' ./log/'
    tables "$1"
}
completed() { # WHEN
    settle
    diff <(all_of make-good) <(all_of tree/out) >differences || wrong "other outputs $1: $(head -n 4 differences)"
}

storm_make() { # TIMES
    local goals=(cls bbox detn objects out/report.html) ways=(group make one fellow) signals=(KILL TERM INT)
    local sessions=() from took killed=0 n pid fellow way signal code
    [ "$1" -ge 20 ] || goals=(detn)
    make_tree
    rm -rf make-good
    from=$(milliseconds)
    start_make told
    wait $! || {
        cat told
        exit 4
    }
    took=$(($(milliseconds) - from))
    settle
    mv tree/out make-good
    for ((n = 0; killed < $1 && n < 20 * $1; n++)); do
        way=${ways[n % 4]} signal=${signals[n % 3]}
        start_make told RESUME=$((n / 12 % 2 == 1 ? 1 : 0))
        pid=$!
        [ "$way" != fellow ] || start_make told.fellow
        fellow=$!
        from=$((RANDOM * took / 32768))
        sleep "$(printf '%d.%03d' $((from / 1000)) $((from % 1000)))"
        strike "$way" "$signal" "$pid"
        wait $pid 2>/dev/null
        code=$?
        [ $code -eq 0 ] || killed=$((killed + 1))
        ! grep -q 'Error 3$' told || wrong "after $way $signal (kill $n): $(grep 'Error 3$' told)"
        whole_files "after $way $signal (kill $n)"
        if [ "$way" = fellow ]; then
            wait $fellow || wrong "a make failed because of another's $signal (kill $n): $(tail -n 2 told.fellow)"
        fi
        if [ $code -eq 0 ] || [ "$way" = fellow ]; then # it was done: from the beginning
            completed "after $way $signal (kill $n)"
            rm -rf tree/out
        fi
    done
    start_make told
    wait $! || wrong "cannot go on: $(tail -n 2 told)"
    completed 'in the end'
    echo "make: killed $killed times within $took ms, in $n runs"
    [ "$killed" -eq "$1" ] || wrong "killed $killed times only"
}

# ---------------------------------------------------------------- pairs

apart() { # COMMAND…: as process 1 of a namespace
    unshare --user --map-root-user --pid --fork --kill-child "$@"
}

# two NAME OF THE OUTPUT: both write it at once, $one and $other; it must be the one's or the other's.
two() {
    local first
    apart "${one[@]}" -o "out/$1" >/dev/null 2>told </dev/null &
    first=$!
    apart "${other[@]}" -o "out/$1" >/dev/null 2>told.other </dev/null ||
        wrong "$1 (the other): $(tail -n 1 told.other)"
    wait $first || wrong "$1 (the one): $(tail -n 1 told)"
    if cmp -s "out/$1" good/one; then
        ones=$((ones + 1))
    elif cmp -s "out/$1" good/other; then
        others=$((others + 1))
    else
        wrong "$1 is neither the one's nor the other's"
    fi
    [ -z "$(find out -name '*.tmp.*')" ] || wrong "left: $(find out -name '*.tmp.*')"
}

storm_pairs() { # TIMES
    local name ones others n one other
    apart true 2>/dev/null || {
        echo "pairs: skipped, no namespaces here"
        return
    }
    for name in anno.tsv 64.cache; do
        case $name in
        anno.tsv) one=("$BIN/json2anno" in/voc.json) other=("$BIN/json2anno" --keep-ignored in/voc.json) ;;
        *)
            one=("$BIN/resize-cache" --threads 1 --size 64 --images in/voc/JPEGImages in/lrg.csv)
            other=("$BIN/resize-cache" --threads 1 --size 96 --images in/voc/JPEGImages in/lrg.csv)
            ;;
        esac
        rm -rf out good
        mkdir out good
        "${one[@]}" -o good/one >/dev/null 2>&1 </dev/null
        "${other[@]}" -o good/other >/dev/null 2>&1 </dev/null
        if cmp -s good/one good/other; then wrong "$name: both write the same"; fi
        ones=0 others=0
        for ((n = 0; n < $1; n++)); do
            rm -rf out/*
            two "$name"
        done
        echo "pairs: $name written by two at once $1 times: $ones times the one's, $others times the other's"
    done
}
