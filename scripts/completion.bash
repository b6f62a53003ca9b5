# Completion for bash of the command onebox and of the programs: goals, settings, options, their choices, files by what
# they are. Everything is read from `onebox --names` and `PROGRAM --help`, so it fits whichever version is called. In a
# checkout: source scripts/completion.bash. Installed, bash-completion loads it.
# shellcheck shell=bash

# By "COMMAND --option": the argument's name ('' for flags) and the choices. By COMMAND: all options. A command is
# what is typed: "bin/predict", "onebox predict".
declare -gA _onebox_argument _onebox_choices _onebox_options

_onebox_read() { # WORD…: the command; fills the tables, once for each command
    local command=$* line option='' letter='' IFS=
    [[ ${_onebox_options[$command]+known} ]] && return
    _onebox_options[$command]=''
    while read -r line; do
        [[ $line == EXAMPLES ]] && break
        if [[ $line =~ ^\ \ (-([a-zA-Z]),\ |\ \ \ \ )--([a-z0-9-]+)(\ ([A-Z][^ ]*))? ]]; then
            option=--${BASH_REMATCH[3]} letter=${BASH_REMATCH[2]}
            _onebox_options[$command]+="$option "
            _onebox_argument[$command $option]=${BASH_REMATCH[5]}
            [[ -z $letter ]] || _onebox_argument[$command -$letter]=${BASH_REMATCH[5]}
        fi
        if [[ $option && $line =~ \(([a-z0-9.-]+(\|[a-z0-9.-]+)+)\) ]]; then
            _onebox_choices[$command $option]=${BASH_REMATCH[1]//|/ }
            [[ -z $letter ]] || _onebox_choices[$command -$letter]=${BASH_REMATCH[1]//|/ }
        fi
    done < <("${@/#\~/$HOME}" --help 2>/dev/null </dev/null)
}

_onebox_words() { # WORD…: those that the present word begins
    local word
    for word; do
        [[ $word != "$cur"* ]] || COMPREPLY+=("$word")
    done
}

_onebox_files() { # ENDING…: files with these endings and folders, any file when there is none; "-d": folders only
    local ending
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    [[ $1 != -d ]] || return
    local -a files=()
    for ending; do
        mapfile -t -O ${#files[@]} files < <(compgen -f -X "!*.$ending" -- "$cur")
    done
    if [[ ${#files[@]} -eq 0 ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    else
        COMPREPLY+=("${files[@]}")
    fi
}

_onebox_value() { # PROGRAM COMMAND OPTION: what can stand behind the option
    local argument=${_onebox_argument[$2 $3]} choices=${_onebox_choices[$2 $3]-} key
    if [[ $choices ]]; then
        # shellcheck disable=SC2086 # words
        _onebox_words $choices
        return
    fi
    case $1:$3 in
    *:--cache) _onebox_files cache ;;
    *:--ckpt | *:--init) _onebox_files ckpt ;;
    *:--weights)
        _onebox_files safetensors ckpt
        _onebox_words none
        ;;
    *:--recipe) _onebox_files recipe ;;
    *:--lrg | *:--bb) _onebox_files csv ;;
    *:--val | *:--only) _onebox_files txt ;;
    *:--anno | *:--pred | *:--history | *:--batches | *:--lr | *:--lr-find) _onebox_files tsv ;;
    render:-o | render:--output) _onebox_files png jpg ;;
    report:-o | report:--output) _onebox_files html ;;
    *:--device) _onebox_words auto cpu cuda ;;
    *:--phase | *:--until) _onebox_words head top all ;;
    *:--set)
        compopt -o nospace 2>/dev/null
        for key in arch size batch seed precision giou smoothing average \
            augment.{flip,rotate,lighting,crop,zoom,colour} \
            phase.{head,top,all}{,.lr,.from,.cycles,.len,.mult,.div,.cut,.epochs}; do
            _onebox_words "$key="
        done
        ;;
    *)
        case $argument in
        FILE | CKPT) _onebox_files ;;
        DIR) _onebox_files -d ;;
        esac
        ;;
    esac
}

_onebox_operand() { # PROGRAM
    case $1 in
    voc2json | report) _onebox_files -d ;;
    json2anno) _onebox_files json ;;
    largest | mkcsv) _onebox_files tsv ;;
    resize-cache) _onebox_files csv ;;
    predict) _onebox_files jpg jpeg png JPG JPEG PNG ;;
    import-weights) _onebox_files pth pt safetensors ;;
    *) COMPREPLY=() ;;
    esac
}

_onebox_program() { # WORD…: the command, whose last word names the program
    local command=$* program=${!#} cur=${COMP_WORDS[COMP_CWORD]} option=''
    program=${program##*/}
    COMPREPLY=()
    [[ $COMP_CWORD -lt $# ]] || option=${COMP_WORDS[COMP_CWORD - 1]}
    # --option=value comes as three words
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $option == = && $COMP_CWORD -ge 2 ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    _onebox_read "$@"
    if [[ $option == -* && ${_onebox_argument[$command $option]-} ]]; then
        _onebox_value "$program" "$command" "$option"
    elif [[ $cur == -* ]]; then
        # shellcheck disable=SC2086 # words
        _onebox_words ${_onebox_options[$command]}
    else
        _onebox_operand "$program"
    fi
}

_onebox_plain() { # a program under its own name
    _onebox_program "$1"
}

# The command onebox: a program and what it takes, or goals and settings of the pipeline.
_onebox() {
    local cur=${COMP_WORDS[COMP_CWORD]} names programs
    COMPREPLY=()
    names=$("${1/#\~/$HOME}" --names 2>/dev/null </dev/null)
    mapfile -t programs < <(sed -n 's/^program //p' <<<"$names")
    if [[ $COMP_CWORD -gt 1 && " ${programs[*]} " == *" ${COMP_WORDS[1]} "* ]]; then
        _onebox_program "$1" "${COMP_WORDS[1]}"
    elif [[ $COMP_CWORD -eq 2 && ${COMP_WORDS[1]} == help ]]; then
        _onebox_words "${programs[@]}"
    elif [[ $cur == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        [[ $cur != = ]] || cur=''
        _onebox_files
    else
        compopt -o nospace 2>/dev/null
        [[ $COMP_CWORD -gt 1 ]] || names+=$'\ngoal help\ngoal --version\n'${names//program /goal }
        # shellcheck disable=SC2046 # words
        _onebox_words $(sed -n 's/^goal //p; s/^setting //p' <<<"$names" | sort -u)
    fi
}

complete -F _onebox onebox
# Programs under their own names: those of a checkout, and those that `make install LINKS=1` linked to this file.
for _onebox_file in "${BASH_SOURCE[0]%/*}"/{../stages/*.c,*}; do
    _onebox_name=${_onebox_file##*/}
    if [[ $_onebox_name == *.c ]]; then
        complete -F _onebox_plain "${_onebox_name%.c}"
    elif [[ -L $_onebox_file && $_onebox_file -ef ${BASH_SOURCE[0]} ]]; then
        complete -F _onebox_plain "$_onebox_name"
    fi
done
unset _onebox_file _onebox_name
