# documents.awk - a Markdown document beside what its commands print now.
# usage: awk -v mode=write|same|near|form -v said=FOLDER -v until=N -f documents.awk DOCUMENT
#   FOLDER/1 to FOLDER/N hold what the document's first N commands said, in their order (commands.awk). In the document
#   a line of output that is only "…" stands for any number of lines, none included.
#   write: prints the document with what the commands said in place of what was shown, lines "…" kept
#   same:  lists the lines shown that are not what the commands said; times and rates may differ
#   near:  numbers may differ by 0.05 and a fifth as well (another kind of processor)
#   form:  numbers, names of files and classes may be any (other data)
#   Exit status 1 when a line is listed.
function finish(    i) {
    if (number && number <= until)
        compare()
    else if (number)
        for (i = 1; i <= count; i++)
            show(text[i])
    number = count = 0
}
# The line without what differs from run to run: times, rates, and whatever is to come at the end of the line.
function steady(line) {
    gsub(/[0-9.]+ (img\/s|a second|GiB)/, "T", line)
    gsub(/[0-9]+:[0-9][0-9]/, "T", line)
    gsub(/[0-9.]+ s($|,)/, "T", line)
    sub(/ +$/, "", line)
    return line
}
# The line with its numbers and checksums as #; widths of columns do not count.
function form(line) {
    line = steady(line)
    sub(/kernels [a-z0-9]*, [0-9]+ threads?, conv [a-z]*, [a-z0-9]*/, "KERNELS", line)
    gsub(/[A-Za-z0-9_]+\.(jpg|png)/, "F", line)
    gsub(/sha256 [0-9a-f]+/, "sha256 #", line)
    gsub(/[+-]?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?/, "#", line)
    gsub(/[ \t]+/, " ", line)
    sub(/^ /, "", line)
    return line
}
# The same for other data and recipes: no classes, no augmentations, no singular or plural.
function loose(line) {
    line = form(line)
    gsub(classes, "C", line)
    gsub(/epochs/, "epoch", line)
    gsub(/batches/, "batch", line)
    sub(/: (tiny|resnet[0-9#]*) on cpu/, ": ARCH on cpu", line)
    gsub(/ (flip|rotate #|lighting # x#|crop #|zoom x#|colour x# #)/, "", line)
    gsub(/ -( -)+/, " #", line)
    gsub(/#( #)+/, "#", line)
    return line
}
function complain(shown, now) {
    printf "%s:%d: shown: %s\n  now: %s\n", FILENAME, place[shown], text[shown], now > "/dev/stderr"
    bad = 1
}
function near(a, b,    x, y, n, m, i, difference, larger) {
    if (form(a) != form(b))
        return 0
    n = numbers(steady(a), x)
    m = numbers(steady(b), y)
    for (i = 1; i <= n && i <= m; i++) {
        difference = x[i] > y[i] ? x[i] - y[i] : y[i] - x[i]
        larger = x[i] > y[i] ? x[i] : y[i]
        if (difference > 0.05 + 0.2 * (larger < 0 ? -larger : larger))
            return 0
    }
    return 1
}
function numbers(line, into,    n) {
    while (match(line, /[+-]?[0-9]+(\.[0-9]+)?/)) {
        into[++n] = substr(line, RSTART, RLENGTH) + 0
        line = substr(line, RSTART + RLENGTH)
    }
    return n
}
function agree(a, b) {
    return mode == "near" ? near(a, b) : steady(a) == steady(b)
}
# Where `wanted` first is from `from` on: the same line, else one with the same first number (a row of a table), else
# one of the same form. 0: nowhere.
function find(wanted, from,    i, first) {
    for (i = from; i <= lines; i++)
        if (now[i] == wanted)
            return i
    first = wanted
    sub(/^ +/, "", first)
    sub(/ .*/, "", first)
    for (i = from; i <= lines; i++)
        if (form(now[i]) == form(wanted) && (first !~ /^[0-9]+$/ || now[i] ~ "^ *" first " "))
            return i
    for (i = from; i <= lines; i++)
        if (form(now[i]) == form(wanted))
            return i
    return 0
}
function show(line) {
    if (mode == "write")
        print line
}
function compare(    i, k, at, start, size, file, line) {
    file = said "/" number
    lines = 0
    while ((getline line < file) > 0)
        if (line !~ /^[^ ]+ epoch [0-9]+ (validation )?[0-9]+\/[0-9]+ /) { # the progress of a training
            sub(/ +$/, "", line)
            now[++lines] = line
        }
    close(file)
    if (mode == "form") {
        compare_forms()
        return
    }
    at = 1
    for (i = 1; i <= count; i += size) {
        if (text[i] ~ /^ *…$/) {
            show(text[i])
            size = 1
            continue
        }
        for (size = 1; i + size <= count && text[i + size] !~ /^ *…$/; size++) ;
        start = i == 1 ? 1 : i + size > count ? lines - size + 1 : find(text[i], at)
        if (i == 1 && size == count && mode == "write")
            size = lines # all of it is shown
        if (!start || start < at) {
            if (mode == "write")
                for (k = 0; k < size; k++)
                    show(text[i + k])
            complain(i, "(nothing like it)")
            continue
        }
        for (k = 0; k < size; k++) {
            show(now[start + k])
            if (mode != "write" && (start + k > lines || !agree(text[i + k], now[start + k])))
                complain(i + k, now[start + k])
        }
        at = start + size
        if (i == 1 && size >= count)
            break
    }
    if (count == 0 && lines && mode == "write")
        for (k = 1; k <= lines; k++)
            show(now[k])
    else if (mode != "write" && lines >= at && (count == 0 || text[count] !~ /^ *…$/)) {
        printf "%s:%d: not shown: %s\n", FILENAME, last, now[at] > "/dev/stderr"
        bad = 1
    }
}
# With other data there may be more or fewer lines: each one shown has one of its form.
function compare_forms(    i, k) {
    for (i = 1; i <= count; i++) {
        if (text[i] ~ /^ *…$|: stopped at [0-9]+\/[0-9]+, loss=/) # a few batches do not make the loss explode
            continue
        for (k = 1; k <= lines && loose(now[k]) != loose(text[i]); k++) ;
        if (k > lines)
            complain(i, "(no line of this form)")
    }
}
BEGIN {
    classes = "(aeroplane|bicycle|bird|boat|bottle|bus|car|cat|chair|cow|diningtable|dog|horse|motorbike|" \
        "person|pottedplant|sheep|sofa|train|tvmonitor|fish|flower|house|star|tree|Cat|Dog|Horse)"
}
/^```/ {
    finish()
    block = block == "" ? substr($0, 4) : ""
    show($0)
    next
}
block == "console" && /^\$ / {
    finish()
    number = ++commands
    last = FNR
    show($0)
    next
}
block == "console" && /^> / && number && !count { show($0); last = FNR; next }
block == "console" && number { text[++count] = $0; place[count] = FNR; next }
{ show($0) }
END {
    finish()
    exit bad
}
