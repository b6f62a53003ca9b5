#!/usr/bin/env bats
# json2anno --images: annotations are held against the pictures that they are of.

bats_require_minimum_version 1.5.0

setup_file() {
    "$BIN/draw-set" --pictures 60 --size 64 -o "$BATS_FILE_TMPDIR/set" 2>"$BATS_FILE_TMPDIR/said"
    "$BIN/voc2json" --split trainval -o "$BATS_FILE_TMPDIR/set.json" "$BATS_FILE_TMPDIR/set" 2>"$BATS_FILE_TMPDIR/said"
    "$BIN/json2anno" -o "$BATS_FILE_TMPDIR/set.tsv" "$BATS_FILE_TMPDIR/set.json" 2>"$BATS_FILE_TMPDIR/said"
}

setup() {
    load voc_helper
    set=$BATS_FILE_TMPDIR/set
    work=$BATS_TEST_TMPDIR
    pictures=$work/pictures
    json=$work/in.json
    out=$work/anno.tsv
    mkdir "$pictures"
    # A drawn picture that is wider than high.
    wide=$(awk -F '\t' 'NR > 1 && $3 > $4 { print $2; exit }' "$BATS_FILE_TMPDIR/set.tsv")
    read -r width height < <(awk -F '\t' -v f="$wide" '$2 == f { print $3, $4; exit }' "$BATS_FILE_TMPDIR/set.tsv")
}

# turned ORIENTATION FILE: a JPEG on standard output, with EXIF that says how to turn it.
turned() {
    head -c 2 "$2"
    # shellcheck disable=SC2059
    printf '\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0'"\\x0$1"'\0\0\0\0\0\0\0'
    tail -c +3 "$2"
}

# coco LINE…: a COCO JSON; each line is "FILE WIDTH HEIGHT CLASS X Y W H", a '?' for width and height leaves them out,
# and a file that was there already gets another box.
coco() {
    printf '%s\n' "$@" | awk '
        { if (!($1 in id)) {
              id[$1] = ++n; name = $1; gsub(/\+/, " ", name)
              images = images (n > 1 ? ", " : "") "{\"id\": " n ", \"file_name\": \"" name "\"" \
                       ($2 == "?" ? "" : ", \"width\": " $2 ", \"height\": " $3) "}"
          }
          class = $4; gsub(/\+/, " ", class)
          if (!(class in of)) {
              of[class] = ++c
              classes = classes (c > 1 ? ", " : "") "{\"id\": " c ", \"name\": \"" class "\"}"
          }
          boxes = boxes (NR > 1 ? ", " : "") "{\"id\": " NR ", \"image_id\": " id[$1] ", \"category_id\": " of[class] \
                  ", \"bbox\": [" $5 ", " $6 ", " $7 ", " $8 "]" ($9 == "" ? "" : ", \"area\": " $9) "}" }
        END { print "{\"images\": [" images "], \"annotations\": [" boxes "], \"categories\": [" classes "]}" }'
}

# compared [OPTION…]: runs json2anno with the pictures.
compared() {
    run --separate-stderr "$BIN/json2anno" --images "$pictures" "$@" -o "$out" "$json"
}

# rows: what the table holds of each object, but for its id, class and mark, in one line each.
rows() {
    sed 1d "$out" | cut -f 2-4,6-9 | tr '\t' ' '
}

@test "a set that is right gives the same table with its pictures as without, and no other line" {
    run --separate-stderr "$BIN/json2anno" --images "$set/JPEGImages" -o "$out" "$BATS_FILE_TMPDIR/set.json"
    assert_success
    cmp "$out" "$BATS_FILE_TMPDIR/set.tsv"
    said_part "json2anno: 60 images, "
    [ "$(wc -l <<<"${stderr-}")" -eq 1 ]
}

# ---------------------------------------------------------------- photos that EXIF turns

@test "boxes on the pixels as stored are turned as the photo is, by each of the eight orientations" {
    for o in 1 2 3 4 5 6 7 8; do
        turned "$o" "$set/JPEGImages/$wide" >"$pictures/o$o.jpg"
        lines+=("o$o.jpg $width $height a 5 7 20 11")
    done
    coco "${lines[@]}" >"$json"
    compared
    assert_success
    said_part "7 pictures that EXIF turns were annotated unturned: their boxes are turned too, the first in o5.jpg"
    said_part "3 of them (square, mirrored or upside down) do not tell, the first o2.jpg: their boxes are turned"
    w=$width h=$height
    printf '%s\n' "o1.jpg $w $h 7 5 17 24" \
        "o2.jpg $w $h 7 $((w - 25)) 17 $((w - 6))" \
        "o3.jpg $w $h $((h - 18)) $((w - 25)) $((h - 8)) $((w - 6))" \
        "o4.jpg $w $h $((h - 18)) 5 $((h - 8)) 24" \
        "o5.jpg $h $w 5 7 24 17" \
        "o6.jpg $h $w 5 $((h - 18)) 24 $((h - 8))" \
        "o7.jpg $h $w $((w - 25)) $((h - 18)) $((w - 6)) $((h - 8))" \
        "o8.jpg $h $w $((w - 25)) 7 $((w - 6)) 17" | diff - <(rows)
}

@test "boxes on the photo as it is shown stay, without a word" {
    for o in 1 2 3 4 5 6 7 8; do
        turned "$o" "$set/JPEGImages/$wide" >"$pictures/o$o.jpg"
        shown="$width $height"
        [ "$o" -lt 5 ] || shown="$height $width"
        lines+=("o$o.jpg $shown a 5 7 20 11")
    done
    coco "${lines[@]}" >"$json"
    compared
    assert_success
    said "json2anno: 8 images, 8 objects, 0 ignored, 1 classes; 8 rows"
    [ "$(rows | cut -d ' ' -f 4- | sort -u)" = "7 5 17 24" ]
}

@test "a photo that does not tell stays as annotated when the others of the set do not agree, and that is said" {
    turned 6 "$set/JPEGImages/$wide" >"$pictures/stored.jpg"
    turned 6 "$set/JPEGImages/$wide" >"$pictures/shown.jpg"
    turned 3 "$set/JPEGImages/$wide" >"$pictures/half.jpg"
    coco "stored.jpg $width $height a 5 7 20 11" "shown.jpg $height $width a 5 7 20 11" \
        "half.jpg $width $height a 5 7 20 11" >"$json"
    compared
    assert_success
    said_part "1 pictures that EXIF turns were annotated unturned"
    said_part "1 more (square, mirrored or upside down) do not tell, the first half.jpg: their boxes are left"
    printf '%s\n' "stored.jpg $height $width 5 $((height - 18)) 24 $((height - 8))" \
        "shown.jpg $height $width 7 5 17 24" "half.jpg $width $height 7 5 17 24" | diff - <(rows)
}

@test "photos that do not tell are named when no other does" {
    for o in 3 6; do turned $o "$set/JPEGImages/$wide" >"$pictures/o$o.jpg"; done
    coco "o3.jpg $width $height a 5 7 20 11" "o6.jpg ? ? a 5 7 20 11" >"$json"
    compared
    assert_success
    said_part "2 pictures are turned by EXIF, and nothing tells whether their boxes are, which is taken for granted:\
 look at one with render --kind boxes: o3.jpg"
    coco "o3.jpg $width $height a 5 7 20 11" "o6.jpg $height $width a 5 7 20 11" >"$json"
    compared
    said "json2anno: 2 images, 2 objects, 0 ignored, 1 classes; 2 rows"
}

# ---------------------------------------------------------------- sizes

@test "a size that is missing is that of the file, of a turned photo by its boxes" {
    cp "$set/JPEGImages/$wide" "$pictures/a.jpg"
    turned 8 "$set/JPEGImages/$wide" >"$pictures/b.jpg"
    coco "a.jpg ? ? a 5 7 20 11" "b.jpg 0 0 a 0 0 $width 5" >"$json" # as wide as the file as stored
    compared
    assert_success
    said_part "2 of 2 pictures have no size in the annotations: that of the file is taken"
    said_part "1 pictures that EXIF turns were annotated unturned"
    printf '%s\n' "a.jpg $width $height 7 5 17 24" "b.jpg $height $width 0 0 $((width - 1)) 4" | diff - <(rows)
}

@test "another size than annotated is refused with the count, the first picture and both sizes" {
    cp "$set/JPEGImages/$wide" "$pictures/a.jpg"
    cp "$set/JPEGImages/$wide" "$pictures/b.jpg"
    cp "$set/JPEGImages/$wide" "$pictures/c.jpg"
    coco "a.jpg $width $height a 5 7 20 11" "b.jpg 640 480 a 5 7 20 11" "c.jpg 640 480 a 5 7 20 11" >"$json"
    refused 3 "2 of 3 pictures have another size*the first b.jpg: 640 x 480 in the annotation, $width x $height in" \
        "$out" "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
    coco "a.jpg $height $width a 5 7 20 11" >"$json"
    refused 3 "1 of 1 pictures*exchanged, but no EXIF orientation" "$out" \
        "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
}

# ---------------------------------------------------------------- names

@test "a name is found in other spellings, and the table holds that of the file" {
    local file
    for file in "my photo.jpg" plain.jpg "a.b.c.png" $'u\xcc\x88ber.jpg' $'\xc3\xa9t\xc3\xa9.JPG' scan.JPEG \
        $'\xea\xb0\x95.jpg'; do
        cp "$set/JPEGImages/$wide" "$pictures/$file"
    done
    for file in my%20photo.jpg plain a.b.c $'\xc3\xbcber.jpg' $'e\xcc\x81te\xcc\x81.jpg' scan.jpg \
        $'\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xbc.jpg'; do
        lines+=("$file $width $height a 5 7 20 11")
    done
    coco "${lines[@]}" >"$json"
    compared
    assert_success
    said_part "my%20photo.jpg is taken to be the picture my photo.jpg, and 6 more names likewise"
    diff <(rows | sed 's/ [0-9 ]*$//') <(printf '%s\n' "my photo.jpg" plain.jpg a.b.c.png $'u\xcc\x88ber.jpg' \
        $'\xc3\xa9t\xc3\xa9.JPG' scan.JPEG $'\xea\xb0\x95.jpg')
}

@test "a name that several files fit is none, unless it is written just like one of them" {
    for file in x.jpg x.png B.JPG b.jpg; do
        cp "$set/JPEGImages/$wide" "$pictures/$file"
    done
    coco "x $width $height a 5 7 20 11" "b.jpg $width $height a 5 7 20 11" >"$json"
    refused 3 "1 of 2 pictures cannot be used: x is missing (it fits x.* and others: name one). --max-bad 1" "$out" \
        "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
    rm "$pictures/x.png"
    touch "$pictures/x.xml" # no picture
    compared
    assert_success
    [ "$(rows | cut -d ' ' -f 1 | tr '\n' ' ')" = "x.jpg b.jpg " ]
}

@test "a name that begins with ../ is that of a picture in the folder, if just one fits" {
    cp "$set/JPEGImages/$wide" "$pictures/x.jpg"
    cp "$set/JPEGImages/$wide" "$work/secret.jpg"
    coco "../../label-studio/media/x.jpg $width $height a 5 7 20 11" >"$json"
    compared
    assert_success
    said_part "label-studio/media/x.jpg is taken to be the picture x.jpg"
    coco "../secret.jpg $width $height a 5 7 20 11" "x.jpg $width $height a 5 7 20 11" >"$json"
    refused 3 "secret.jpg is missing" "$work/none.tsv" "$BIN/json2anno" --images "$pictures" -o "$work/none.tsv" "$json"
}

@test "the file that is said to be near a missing one is a picture" {
    cp "$set/JPEGImages/$wide" "$pictures/other.jpg"
    touch "$pictures/x.xml"
    coco "x.jpg $width $height a 5 7 20 11" "other.jpg $width $height a 5 7 20 11" >"$json"
    refused 3 "x.jpg is missing. --max-bad 1" "$out" "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
}

@test "two names of one file are refused" {
    cp "$set/JPEGImages/$wide" "$pictures/x.jpg"
    coco "x $width $height a 5 7 20 11" "X.JPG $width $height a 5 7 20 11" >"$json"
    refused 3 "x and X.JPG are both the picture x.jpg" "$out" \
        "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
    coco "x.jpg $width $height a 5 7 20 11" "X.JPG $width $height a 5 7 20 11" >"$json"
    refused 3 "1 of 2 pictures cannot be used: X.JPG is missing" "$out" \
        "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
}

@test "hidden files and links in a circle do no harm" {
    cp "$set/JPEGImages/$wide" "$pictures/x.jpg"
    mkdir "$pictures/.hidden"
    cp "$set/JPEGImages/$wide" "$pictures/.hidden/x.png"
    echo no picture >"$pictures/._x.jpg"
    ln -s . "$pictures/again"
    coco "x $width $height a 5 7 20 11" >"$json"
    compared
    assert_success
    [ "$(rows | cut -d ' ' -f 1)" = x.jpg ]
}

# ---------------------------------------------------------------- pictures that are not there, or no pictures

@test "missing and damaged pictures are one line, and --max-bad goes on with their rows kept" {
    for i in 1 2 3 4 5 6 7 8; do
        cp "$set/JPEGImages/$wide" "$pictures/i$i.jpg"
        lines+=("i$i.jpg $width $height a 5 7 20 $i")
    done
    coco "${lines[@]}" >"$json"
    "$BIN/json2anno" -o "$work/all.tsv" "$json"
    mv "$pictures/i3.jpg" "$pictures/i-3.jpg"
    refused 3 "1 of 8 pictures cannot be used: i3.jpg is missing (there is i-3.jpg). --max-bad 1 (make: MAX_BAD=1)" \
        "$out" "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
    rm "$pictures"/i[5-7].jpg
    : >"$pictures/i4.jpg"
    head -c 40 "$set/JPEGImages/$wide" >"$pictures/i1.jpg"
    refused 3 "6 of 8 pictures cannot be used, 4 are missing; the first: */i1.jpg: a truncated JPEG*--max-bad 6" \
        "$out" "$BIN/json2anno" --images "$pictures" --max-bad 5 -o "$out" "$json"
    compared --max-bad 6
    assert_success
    [ "$(wc -l <<<"$stderr")" -eq 2 ]
    said_part "6 of 8 pictures will be left out, 4 are missing: "
    said_part "/i4.jpg: is empty, not a picture; and 3 more"
    cmp "$out" "$work/all.tsv" # so that a random split of the others stays
}

@test "a wrong folder is recognised, and a folder that is none" {
    coco "x.jpg $width $height a 5 7 20 11" "y.jpg $width $height a 5 7 20 11" >"$json"
    refused 3 "pictures: holds no files" "$out" "$BIN/json2anno" --images "$pictures" --max-bad 9 -o "$out" "$json"
    touch "$pictures/readme.txt"
    refused 3 "none of the 2 annotated pictures is there, such as x.jpg; there is readme.txt" "$out" \
        "$BIN/json2anno" --images "$pictures" --max-bad 9 -o "$out" "$json"
    refused 3 "nowhere: cannot open: No such file" "$out" \
        "$BIN/json2anno" --images "$work/nowhere" -o "$out" "$json"
}

@test "a picture that no object is in need not be there" {
    cp "$set/JPEGImages/$wide" "$pictures/a.jpg"
    coco "a.jpg $width $height a 5 7 20 11" "b.jpg $width $height a 5 7 20 11" |
        sed 's/"image_id": 2/"image_id": 2, "iscrowd": 1/' >"$json"
    compared
    assert_success
    compared --keep-ignored
    assert_failure 3
}

# ---------------------------------------------------------------- boxes as a set

@test "fractions in place of pixels are recognised, with and without the pictures" {
    cp "$set/JPEGImages/$wide" "$pictures/a.jpg"
    coco "a.jpg $width $height a 0.1 0.2 0.5 0.6" "a.jpg $width $height a 0.5 0.5 0.1 0.1" >"$json"
    for images in "" "--images $pictures"; do
        # shellcheck disable=SC2086
        refused 3 "2 of 2 boxes are smaller than two pixels, such as 0.1 0.2 0.5 0.6 in a.jpg*fractions" "$out" \
            "$BIN/json2anno" $images -o "$out" "$json"
    done
    coco "a.jpg $width $height a 0.1 0.2 0.5 0.6" "a.jpg $width $height a 5 7 20 11" >"$json"
    compared
    assert_success # one of two may be right
}

# question TEXT LINE…: the set is refused with a line that holds the text.
question() {
    local text=$1
    shift
    coco "$@" >"$json"
    refused 3 "$text" "$out" "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
}

@test "boxes in another order of numbers are recognised by those that reach beyond, or by areas" {
    cp "$set/JPEGImages/$wide" "$pictures/a.jpg" # 85 x 64
    local a="a.jpg $width $height a"
    question "2 of 3 boxes reach beyond*, such as 40 30 60 60*: are they x1 y1 x2 y2[?]" \
        "$a 40 30 60 60" "$a 30 40 50 64" "$a 1 2 9 9"
    question "2 of 2 boxes have another area than is given with them, such as 2 3 22 13*: are they x1 y1 x2 y2[?]" \
        "$a 2 3 22 13 200" "$a 1 2 31 32 900"
    question "1 of 2 boxes reach beyond*are they y x height width[?]" "$a 5 60 10 20" "$a 40 3 10 30"
    question "2 of 2 boxes reach beyond*are they the centre and the size[?]" "$a 60 50 30 20" "$a 40 30 10 40"
    coco "$a 2 3 22 13 286" "$a 1 2 31 32 700" >"$json" # a polygon's area
    compared
    assert_success
}

@test "per cent of a larger picture are recognised" {
    "$BIN/draw-set" --pictures 1 --size 256 -o "$work/large" 2>"$work/said"
    cp "$work/large/JPEGImages/000001.jpg" "$pictures/a.jpg" # 256 x 341
    for i in 1 2 3 4 5 6 7 8 9 10; do
        lines+=("a.jpg 256 341 a $((9 * i - 8)) $((8 * i - 7)) 10 20")
    done
    question "10 of 10 boxes lie in the first 100 pixels, such as 1 1 10 20*per cent of the picture" "${lines[@]}"
    coco "${lines[@]}" "a.jpg 256 341 a 99 99 20 20" >"$json"
    compared
    assert_success
}

@test "most boxes beyond their picture are a question, some are cut and counted" {
    cp "$set/JPEGImages/$wide" "$pictures/a.jpg"
    coco "a.jpg $width $height a 5 50 20 40" "a.jpg $width $height a 300 7 200 11" "a.jpg $width $height a 5 7 20 11" \
        >"$json"
    refused 3 "2 of 3 boxes reach beyond their picture, such as 5 50 20 40 in a.jpg (${width}x$height)*of other" \
        "$out" "$BIN/json2anno" --images "$pictures" -o "$out" "$json"
    coco "a.jpg $width $height a 5 50 20 40" "a.jpg $width $height a 5 8 20 11" "a.jpg $width $height a 5 7 20 11" \
        >"$json"
    compared
    assert_success
    said_part "1 boxes cut to their picture"
}

@test "classes with a single object and classes that look alike are remarked on" {
    cp "$set/JPEGImages/$wide" "$pictures/a.jpg"
    for class in cat cat Cat Cat "the+dog" "the+dog" "The++dog" bird cow emu fox; do
        lines+=("a.jpg $width $height $class 5 7 20 11")
    done
    coco "${lines[@]}" >"$json"
    compared
    assert_success
    said_part "classes with a single object, which no network learns: 'The  dog', 'bird', 'cow' and 2 more"
    said_part "classes that differ only in capitals or blanks are taken for two: 'cat' (2) and 'Cat' (2); 'the dog' (2)"
}

# ---------------------------------------------------------------- XML

# xml OBJECT…: a folder of XML with one annotation of the wide picture; its size is $size.
xml() {
    mkdir -p "$work/voc/Annotations" "$work/voc/JPEGImages"
    cp "$set/JPEGImages/$wide" "$work/voc/JPEGImages/a.jpg"
    # shellcheck disable=SC2086
    voc_xml a.jpg ${size:-$width $height} "$@" >"$work/voc/Annotations/a.xml"
}

@test "XML whose boxes make no sense as a set is refused, before boxes are cut" {
    xml "cat 0 0.1 0.1 0.3 0.4" "cat 0 0.5 0.5 0.9 0.9"
    refused 3 "2 of 2 boxes are smaller than two pixels, such as 0.1 0.1 0.3 0.4 in a.jpg*fractions" "$json" \
        "$BIN/voc2json" -o "$json" "$work/voc"
    xml "cat 0 10 10 300 40" "cat 0 500 10 550 90" "cat 0 1 1 9 9"
    refused 3 "2 of 3 boxes reach beyond their picture, such as 10 10 300 40 in a.jpg" "$json" \
        "$BIN/voc2json" -o "$json" "$work/voc"
    xml "cat 0 0 0 20 30" "cat 0 1 1 $((width + 1)) $((height + 1))" # counted from 0, or one too far
    "$BIN/voc2json" -o "$json" "$work/voc" 2>"$work/said"
}

@test "XML without a size of a photo that EXIF turns: its boxes tell where they are" {
    size="0 0"
    xml "cat 0 6 8 $width 18" # as wide as the file as stored
    turned 6 "$set/JPEGImages/$wide" >"$work/voc/JPEGImages/a.jpg"
    "$BIN/voc2json" -o "$json" "$work/voc" 2>"$work/said"
    cp "$work/voc/JPEGImages/a.jpg" "$pictures/"
    compared
    assert_success
    said_part "1 pictures that EXIF turns were annotated unturned"
    [ "$(rows)" = "a.jpg $height $width 5 $((height - 18)) $((width - 1)) $((height - 8))" ]
}

@test "1 % of each fault that sets have: all lines on a screen, the right counts, the right boxes" {
    "$BATS_TEST_DIRNAME/../lib/faulty-set" "$work/sets" 300 >"$work/done" 2>"$work/said"
    for kind in clean faulty; do
        "$BIN/voc2json" -o "$work/$kind.json" "$work/sets/$kind" 2>"$work/$kind.said"
        "$BIN/json2anno" --images "$work/sets/$kind/JPEGImages" --max-bad 6 -o "$work/$kind.tsv" "$work/$kind.json" \
            2>>"$work/$kind.said"
    done
    cat "$work/faulty.said"
    [ "$(wc -l <"$work/faulty.said")" -le 24 ]
    [ "$(awk 'length > 240' "$work/faulty.said")" = "" ]
    grep -q "6 of 300 pictures will be left out, 3 are missing: " "$work/faulty.said"
    grep -q "9 annotations name their picture without its extension, with another, or percent" "$work/faulty.said"
    grep -q "3 pictures that EXIF turns were annotated unturned" "$work/faulty.said"
    grep -q "3 annotations lack the size of their picture" "$work/faulty.said"
    # But for names, the turned pictures, and the class "-", the tables are the same.
    for kind in clean faulty; do
        sed 1d "$work/$kind.tsv" | awk -F '\t' -v OFS='\t' '
            { name = $2; gsub(/my |\.jpg|\.JPG/, "", name); $1 = ""; $2 = name }
            name % 100 == 15 { $5 = "" }
            name % 100 != 1' | sort >"$work/$kind.rows"
    done
    diff "$work/clean.rows" "$work/faulty.rows"
}

# ---------------------------------------------------------------- real pictures

@test "VOC 2007 train compares with its 2501 pictures in less than 0.3 s, and the table stays" {
    need_shared voc2007
    real=$SHARED/voc2007/annotations/pascal_train2007.json
    "$BIN/json2anno" -o "$work/alone.tsv" "$real"
    best=9999
    TIMEFORMAT='%U %S'
    for _ in 1 2 3 4 5; do # processor time, best of five: the machine may be busy
        read -r user system < <({ time "$BIN/json2anno" --images "$SHARED/voc2007/JPEGImages" -o "$out" \
            "$real" 2>"$work/said"; } 2>&1)
        took=$((10#${user/./} + 10#${system/./}))
        [ "$took" -ge "$best" ] || best=$took
    done
    echo "best of five: $best ms"
    cmp "$work/alone.tsv" "$out"
    [ "$(cat "$work/said")" = "json2anno: 2501 images, 7844 objects, 1543 ignored, 20 classes; 6301 rows" ]
    [ "$best" -lt 300 ]
}

@test "--max-bad without pictures to look at is refused" {
    coco "x $width $height a 5 7 20 11" >"$json"
    refused 2 "--max-bad is for --images DIR" "$out" "$BIN/json2anno" --max-bad 1 -o "$out" "$json"
}
