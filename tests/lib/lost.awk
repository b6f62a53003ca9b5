# Finds commands of shell scripts whose failure is lost, though the script stops at errors (set -e, as in bats' tests):
# `a && b` goes on when a fails, `! a` goes on when a succeeds. Not lost: what if or while asks for, what `||` follows,
# and what stands in parentheses, which fail as a whole.
FNR == 1 { close_file(); name = FILENAME }
END { close_file() }
until != "" { # a here-document
    line = $0
    sub(/^\t*/, "", line)
    if (line == until)
        until = ""
    next
}
{
    for (i = 1; i <= length($0); i++)
        read_one(substr($0, i, 1))
    if (depth == 0 && !continued && statement !~ /(&&|\|)[ ]*$/)
        judge()
    continued = 0
    if (ending != "") {
        until = ending
        ending = ""
    }
}
function close_file() {
    if (depth || until != "")
        print name ": ends inside a quote, a parenthesis or a here-document"
    depth = 0
    statement = until = ""
}
# One character, the i-th of the line; stack[depth] is what it is inside of: a quote or a parenthesis. What is in
# neither goes into the statement.
function read_one(c,    inside) {
    inside = depth ? stack[depth] : ""
    if (c == "\\" && inside != "'") {
        continued = i == length($0)
        i++
    } else if (inside == "'" || inside == "\"") {
        if (c == inside)
            depth--
        else if (inside == "\"" && c == "(" && substr($0, i - 1, 1) == "$")
            stack[++depth] = "("
    } else if (c == "'" || c == "\"" || c == "(") {
        stack[++depth] = c
        if (depth == 1)
            statement = statement "_"
    } else if (c == ")") {
        if (depth)
            depth--
        else
            statement = "" # the pattern of a case
    } else if (c == "#" && (i == 1 || substr($0, i - 1, 1) ~ /[ \t;]/)) {
        i = length($0)
    } else {
        if (c == "<" && match(substr($0, i), /^<<-?['"]?[A-Za-z]+/) && substr($0, i - 1, 1) != "<") {
            ending = substr($0, i, RLENGTH)
            gsub(/[^A-Za-z]/, "", ending)
        }
        if (depth == 0 && c == ";")
            judge()
        else if (depth == 0)
            statement = statement c
    }
}
function judge() {
    while (sub(/^[ \t]*(then|do|else|\{)[ \t]/, "", statement) || sub(/^[ \t]*[a-z_0-9]+_[ \t]+\{[ \t]/, "", statement))
        ;
    gsub(/\[\[ [^]]* \]\]/, "_", statement)
    if (statement !~ /^[ \t]*(if|elif|while|until)[ \t]/) {
        sub(/.*\|\|/, "", statement)
        if (statement ~ /&&/ || statement ~ /^[ \t]*!/)
            print FILENAME ":" FNR
    }
    statement = ""
}
