# commands.awk - the commands of a Markdown document, each ended by a NUL.
# In blocks marked `console`, "$ " starts a command, "> " continues it on the next line, and anything else is output.
# -v also=sh: print the lines of blocks marked `sh` instead: commands that the document only names.
function finish() {
    if (command != "")
        printf "%s%c", command, 0
    command = ""
}
/^```/ {
    finish()
    block = block == "" ? substr($0, 4) : ""
    if (block == "" && /^```./)
        exit 1 # a block that begins inside another
    next
}
also && block == also && NF { printf "%s%c", $0, 0 }
!also && block == "console" && /^\$ / { finish(); command = substr($0, 3); next }
!also && block == "console" && /^> / && command != "" { command = command "\n" substr($0, 3); next }
{ finish() }
END { finish() }
