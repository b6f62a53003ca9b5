# Which images show what pictures 01, 02 and 03 are to show: one object; several; two of different classes.
# usage: awk -f pictures.awk anno.tsv
# The published run's 12, 9654 and 17 where they fit, else the first ones that do, else the first one. Three ids.
BEGIN { FS = "\t" }
FNR > 1 && $10 == 0 {
    if (!($1 in count)) order[++images] = $1
    if (++count[$1] > 1 && $5 != class[$1]) differ[$1] = 1
    class[$1] = $5
}
function fits(id, what) {
    if (what == "one") return count[id] == 1
    if (what == "several") return count[id] > 2
    return count[id] == 2 && id in differ
}
function pick(id, what,    i) {
    if (id in count && (what == "several" || fits(id, what))) return id
    for (i = 1; i <= images; i++)
        if (fits(order[i], what)) return order[i]
    return order[1]
}
END { if (images) print pick(12, "one"), pick(9654, "several"), pick(17, "two") }
