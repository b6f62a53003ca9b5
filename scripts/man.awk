# Completes the overview page from the pages of the programs.
# usage: awk -f scripts/man.awk PROGRAM.1 … man/onebox.7   @VERSION@, @DATE@, @PROGRAMS@, @SEEALSO@ are filled in
FNR == 1 { overview = FILENAME ~ /\.7$/ }
!overview && /^\.TH / { split($0, quoted, "\""); version = quoted[2]; sub(/^onebox /, "", version); date = $4 }
!overview && name_follows { name_follows = 0; names[++count] = $1; text = $0; sub(/^[^ ]+ \\- /, "", text); summaries[count] = text }
!overview && /^\.SH NAME/ { name_follows = 1 }
!overview { next }
/^@PROGRAMS@/ { for (i = 1; i <= count; i++) printf ".TP\n.BR %s (1)\n%s\n", names[i], summaries[i]; next }
/^@SEEALSO@/ { for (i = 1; i <= count; i++) printf ".BR %s (1),\n", names[i]; next }
{ gsub(/@VERSION@/, version); gsub(/@DATE@/, date); print }
