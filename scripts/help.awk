# With -v installed=1 as the help of the command onebox.
# Prints the headings ("##@ Heading"), settings ("#? NAME text") and targets ("name: … ## text") of makefiles.
BEGIN {
    print "onebox: from annotated photos to a trained single-object detector, as small programs and make."
    print ""
    make = installed ? "onebox" : "make"
    if (installed)
        print "In any folder; out/ appears there.\n"
    else {
        print "  make                      build the programs in bin/"
        print "  make check                build and test"
    }
    print "  " make " demo                 draw a small data set, train on it and look at the outcome: some minutes"
    print "  " make " out/detn.ckpt VOC=DIR WEIGHTS=FILE"
    print "                            train the detector on a VOC folder, doing whatever has to be done before"
    print ""
    print "Devices: trainings and predict run on the processor through oneDNN, with as many threads as the process"
    print "may use (THREADS=N lowers it); kernels are chosen at run time for the processor's instruction sets."
    print "`" (installed ? "" : "bin/") "train-detn --version` lists the devices that were built in."
}
/^##@ / { heading = substr($0, 5); next }
/^#\? / { line(substr($0, 4)) }
/^[a-z][a-z-]*:.* ## / { name = $0; sub(/:.*/, "", name); text = $0; sub(/.* ## /, "", text); line(sprintf("%-11s %s", name, text)) }
function line(text) {
    if (heading != "")
        print "\n" heading ":"
    heading = ""
    print "  " text
}
