# Of the words that are known, the one that is meant by a word that is not.
# usage: awk -v word=WORD [-v kind=KIND] -f nearest.awk    standard input: "KIND NAME" lines, as `onebox --names` prints
# Prints nothing when WORD is a program or a goal among them (or of the KIND asked for); else "?", and behind it the
# nearest one if it is near: a third of the letters are added, missing, others, or changed places with their neighbours.
# Capitals count as small letters there.
function least(a, b) { return a < b ? a : b }
function distance(a, b,    i, j, d, changed) {
    for (i = 0; i <= length(a); i++) d[i, 0] = i
    for (j = 0; j <= length(b); j++) d[0, j] = j
    for (i = 1; i <= length(a); i++)
        for (j = 1; j <= length(b); j++) {
            changed = substr(a, i, 1) != substr(b, j, 1)
            d[i, j] = least(d[i - 1, j - 1] + changed, least(d[i - 1, j], d[i, j - 1]) + 1)
            if (i > 1 && j > 1 && substr(a, i - 1, 2) == substr(b, j, 1) substr(b, j - 1, 1))
                d[i, j] = least(d[i, j], d[i - 2, j - 2] + 1)
        }
    return d[length(a), length(b)]
}
kind ? $1 == kind : $1 == "program" || $1 == "goal" {
    name = $2
    sub(/=$/, "", name) # of a setting
    far = name == word ? 0 : distance(tolower(word), tolower(name)) + 0.1
    if (nearest == "" || far < nearest_far) {
        nearest = name
        nearest_far = far
    }
}
END {
    if (nearest_far)
        print "?" (3 * nearest_far <= length(word) + 1 ? nearest : "")
}
