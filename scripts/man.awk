# Completes a page of man/ from the pages of the programs and from headers.
# usage: awk -f scripts/man.awk PROGRAM.1 … HEADER.h … recipe.words man/PAGE
#   @VERSION@, @DATE@, @PROGRAMS@ and @SEEALSO@ are filled in from the programs' pages; @NAME@ becomes the columns that
#   a header defines as NAME_HEADER or NAME_COLUMNS; @RECIPE@ what train-cls --help-recipe says (recipe.words), in roff
FNR == 1 { overview = FILENAME ~ /^man\//; header = FILENAME ~ /\.h$/; words = FILENAME ~ /\.words$/ }
words {
    gsub(/-/, "\\-")
    gsub(/\047/, "\\(aq")
    if (match($0, /^  [^ ]+( [^ ]+)*   */)) { # a word, and what it means
        word = substr($0, 3, RLENGTH - 2)
        sub(/ +$/, "", word)
        recipe = recipe ".TP\n.B " word "\n" substr($0, RLENGTH + 1) "\n"
    } else if (/^Lines, /)
        recipe = recipe ".SS Lines\n"
    else if (!/^$|set KEY=VALUE|^phase\.NAME=/)
        recipe = recipe ".SS " $0 "\n"
    next
}
header {
    if (match($0, /^#define [A-Z_]+_(HEADER|COLUMNS) ".*"/)) {
        name = $2
        sub(/_(HEADER|COLUMNS)$/, "", name)
        text = $0
        sub(/^[^"]*"/, "", text)
        sub(/".*/, "", text)
        gsub(/\\t/, " ", text)
        gsub(/\\n/, "", text)
        columns["@" name "@"] = text
    }
    next
}
!overview && /^\.TH / { split($0, quoted, "\""); version = quoted[2]; sub(/^onebox /, "", version); date = $4 }
!overview && name_follows {
    name_follows = 0
    names[++count] = $1
    text = $0
    sub(/^[^ ]+ \\- /, "", text)
    summaries[count] = text
}
!overview && /^\.SH NAME/ { name_follows = 1 }
!overview { next }
/^@PROGRAMS@/ { for (i = 1; i <= count; i++) printf ".TP\n.BR %s (1)\n%s\n", names[i], summaries[i]; next }
/^@SEEALSO@/ { for (i = 1; i <= count; i++) printf ".BR %s (1),\n", names[i]; next }
/^ *@[A-Z_]+@$/ && ($1 in columns) { print "  " columns[$1]; next }
/^@RECIPE@$/ { printf "%s", recipe; next }
{ gsub(/@VERSION@/, version); gsub(/@DATE@/, date); print }
