# Turns the output of make -n --trace into one line for each product and reason.
# -v out=OUT, -v typed=make or onebox: the folder of the products, the command that users type.
BEGIN {
    out = out "/"
    sub(/^(\.\/+)+/, "", out) # make leaves that out too
}
/^[^ ]+:[0-9]+: (update )?target '/ {
    split($0, part, "'")
    target = part[2]
    if (substr(target, 1, length(out)) != out)
        next
    if (substr(target, length(out) + 1, 6) == ".made/")
        target = substr(target, length(out) + 7)
    else if ((getline line < target) < 0) {
        print target ": not there"
        next
    }
    else
        close(target)
    if (/does not exist$/) { # make 4.4 gives no other reason then
        print target ": never finished before"
        next
    }
    reasons = $0
    sub(/.*' due to: /, "", reasons)
    count = split(reasons, reason, " ")
    text = ""
    for (i = 1; i <= count; i++) {
        if (reason[i] == "no-finished-run")
            text = "never finished before"
        else if (text != "never finished before")
            text = text (text == "" ? "" : ", ") words(reason[i])
    }
    print target ": " text
}
function words(reason) {
    if (reason == "a-deleted-file")
        return "an output was deleted"
    if (reason ~ /^parameters-of-/)
        return "other settings, see " typed " params-diff"
    if (sub(/^new-files-in-/, "new files in ", reason))
        return reason
    return reason " is newer"
}
