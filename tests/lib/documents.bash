#!/usr/bin/env bash
# Runs the commands that documents show, and writes what they say into the documents or compares it with them.
# usage: tests/lib/documents.bash write|check|form [--edit SED] [--before REGEX] FOLDER DOCUMENT…
#        tests/lib/documents.bash checkout FOLDER BIN [DATA [MYPETS]]
#   FOLDER is like a checkout: programs in bin/, data/ and whatever else the documents take for granted. Commands run
#   there in the order of the documents, each changed by SED before. --before: of each document only the commands in
#   front of the first that matches REGEX.
#   write: what the commands said replaces what is shown (a line "…" goes on standing for any lines)
#   check: lists what is shown and not said any more: on a machine that computes as the document says (a line
#          "… on cpu: kernels …") to the digit, on others within 0.05 and a fifth
#   form:  compares without numbers, names of files and classes, for quick runs on other data
#   checkout: makes such a folder anew; MYPETS: somebody's annotated photos, for doc/own-pictures.md
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 3 ]; then
    sed -n '3,13p' "$0" | cut -c3- >&2
    exit 2
fi
if [ "$1" = checkout ]; then
    rm -rf "$2" && mkdir -p "$2/out" || exit 4
    cp -a "$here/../../"{Makefile,pipeline.mk,scripts,recipes} "$2" # with their times: there is nothing to build
    ln -s "$(realpath "$3")" "$2/bin"
    [ ! -d "${4:-none}" ] || ln -s "$(realpath "$4")" "$2/data"
    [ ! -d "${5:-none}" ] || ln -s "$(realpath "$5")" "$2/mypets"
    exit
fi
mode=$1 edit='s/^$//' before=''
shift
while [[ $1 == --* ]]; do
    case $1 in --edit) edit=$2 ;; --before) before=$2 ;; esac
    shift 2
done
folder=$1
shift
said=$(mktemp -d) || exit 4
trap 'rm -rf "$said"' EXIT
wrong=0

for document; do
    document=$(realpath "$document")
    number=0
    rm -f "$said"/*
    while IFS= read -r -d '' command; do
        [[ -z $before || ! $command =~ $before ]] || break
        number=$((number + 1))
        command=$(sed -E "$edit" <<<"$command")
        (cd "$folder" && env -i PATH="$PATH" HOME="$PWD" TERM=dumb ASAN_OPTIONS="${ASAN_OPTIONS-}" \
            LSAN_OPTIONS="${LSAN_OPTIONS-}" \
            bash -o pipefail -c "$command") >"$said/$number" 2>&1 </dev/null 3>&-
        status=$?
        if [ $status -ne 0 ] && [ $status -ne 141 ]; then # 141: head had enough lines
            printf '%s: this command failed: %s\n' "$document" "$command"
            tail -n 20 "$said/$number"
            exit 1
        fi
    done < <(awk -f "$here/commands.awk" "$document")
    echo "$document: $number commands"
    how=$mode
    if [ "$mode" = check ]; then
        how=same
        # another kind of processor than the document's?
        kernels=$(grep -ho 'on cpu: kernels [a-z0-9]*, [0-9]* threads\?' "$document" | head -n 1)
        if grep -q 'on cpu: kernels' "$said"/* && ! grep -qF "${kernels:-none}" "$said"/*; then
            how=near
        fi
    fi
    if [ "$mode" = write ]; then
        awk -v mode=write -v said="$said" -v until="$number" -f "$here/documents.awk" "$document" >"$said/document" ||
            wrong=1
        cat "$said/document" >"$document"
    else
        awk -v mode="$how" -v said="$said" -v until="$number" -f "$here/documents.awk" "$document" || wrong=1
    fi
done
exit $wrong
