# Prints what decides about trainings by each of several recipes as words "NAME:TEXT". In a text '\' stands for a blank
# and '|' for the end of a line; comments and needless blanks are gone.
# usage: awk -f recipe.awk DIR/NAME.recipe …
#   NAME:        the whole recipe
#   NAME.head:   all but the phases, then what phase head trains, without its rates
#   NAME.0:      all but the phases, then phase head
#   NAME.top:    all but the phases, then phase head, then what phase top trains
#   NAME.phases: the names of the phases
function word(name, text) { gsub(/ /, "\\", text); print model name ":" substr(text, 2) }
function recipe_ends() {
    word("", whole)
    word(".head", settings layers["head"])
    word(".0", settings phase["head"])
    word(".top", settings phase["head"] layers["top"])
    word(".phases", phases)
    whole = settings = phases = ""
    split("", phase)
    split("", layers)
}
FNR == 1 && NR > 1 { recipe_ends() }
FNR == 1 { model = FILENAME; gsub(/.*\/|\.recipe$/, "", model) }
FNR == 1 { sub(/^\357\273\277/, "") } # a byte order mark
{ sub(/#.*/, "") }
NF == 0 { next }
{ $1 = $1; whole = whole "|" $0 }
$1 != "phase" { settings = settings "|" $0; next }
{
    phases = phases " " $2
    phase[$2] = "|" $0
    layers[$2] = "|" $1 " " $2 " " $3 " " $4
}
END { if (NR) recipe_ends() }
