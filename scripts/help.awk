# Prints the help that makefiles hold: headings ("##@ Heading"), settings ("#? NAME text"), goals ("name: … ## text").
# usage: awk [-v typed=onebox|names=1] -f help.awk MAKEFILE …
#   typed    the command that the user types [make]
#   names=1  only names, for completion: "goal NAME" and "setting NAME=", one a line
BEGIN {
    if (typed == "")
        typed = "make"
    if (!names)
        introduction()
}
function introduction() {
    print "onebox: from annotated photos to a trained single-object detector, as small programs and make."
    print ""
    if (typed == "onebox") {
        print "  onebox PROGRAM …          run one of the programs listed below: onebox predict --help"
        print "  onebox GOAL …             run make here: goals, files, VARIABLE=VALUE, options of make; products"
        print "                            appear in out/"
        print "The first word decides: a program's name runs the program, everything else is make's. `report` is both:"
        print "alone, or followed by VARIABLE=VALUE only, it is the goal."
        print ""
    } else {
        print "  make                      build the programs in bin/"
        print "  make check                build and test"
    }
    print "  " typed " demo                 draw a small data set, train on it and look at the outcome: some minutes"
    print "  " typed " out/detn.ckpt VOC=DIR WEIGHTS=FILE"
    print "                            train the detector on a VOC folder, doing whatever has to be done before"
    print ""
    print "Devices: trainings and predict run on the processor, with as many threads as the process"
    print "may use (THREADS=N lowers it); kernels are chosen at run time for the processor's instruction sets."
    print "`" (typed == "onebox" ? "onebox " : "bin/") "train-detn --version` lists the devices that were built in."
}
/^##@ / {
    heading = substr($0, 5)
    sub(/\(make /, "(" typed " ", heading)
}
/^#\? / {
    if (names)
        settings($0)
    else
        line(substr($0, 4))
}
/^[a-z][a-z-]*:.* ## / {
    name = text = $0
    sub(/:.*/, "", name)
    sub(/.* ## /, "", text)
    if (names)
        print "goal " name
    else
        line(sprintf("%-11s %s", name, text))
}
function settings(text,    word, i) { # the words in capitals at the start of the line
    split(substr(text, 4), word, " ")
    for (i = 1; word[i] ~ /^[A-Z][A-Z_]+(=|$)/; i++) {
        sub(/=.*/, "", word[i])
        print "setting " word[i] "="
    }
}
function line(text) {
    if (heading != "")
        print "\n" heading ":"
    heading = ""
    if (typed == "onebox")
        gsub(/`make /, "`onebox ", text)
    print "  " text
}
