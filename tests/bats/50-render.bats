#!/usr/bin/env bats
# render: boxes, the largest object, grids of predictions, curves.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load

shared=$BATS_TEST_DIRNAME/../../../shared/data/voc2007

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir images
    printf 'phase\tepoch\tbatch\tlr\tloss\tsmoothed\twait\timages_per_second\n' >b.tsv
    for k in 0 1 2 3 4 5 6 7; do
        printf 'head\t%d\t%d\t1e-%d\t%d.5\t%d.25\t0.1\t20\n' $((k / 4)) $k $((9 - k)) $((9 - k)) $((9 - k)) >>b.tsv
    done
    {
        printf 'phase\tepoch\ttrn_loss\tval_loss\taccuracy\tl1\tseconds\timages_per_second\n'
        printf 'head\t0\t1.25\t0.75\t0.766\t-\t9.5\t20\n'
        printf 'all\t0\t0.75\t0.65\t0.794\t-\t9.5\t20\n'
    } >h.tsv
    # a picture of 300 x 200 pixels and two more names for it
    "$BIN/render" --kind schedule --batches b.tsv --figure 3x2 -o images/000012.png >/dev/null
    cp images/000012.png images/000017.png
    {
        printf 'image_id\tfile_name\twidth\theight\tcategory\ty1\tx1\ty2\tx2\tignore\n'
        printf '12\t000012.png\t300\t200\tcar\t96\t155\t169\t250\t0\n'
        printf '17\t000017.png\t300\t200\tperson\t61\t184\t98\t278\t0\n'
        printf '17\t000017.png\t300\t200\thorse\t7\t9\t180\t202\t0\n'
        printf '17\t000017.png\t300\t200\tcow\t7\t9\t190\t290\t1\n'
    } >anno.tsv
    {
        printf 'file_name\tcategory\tprobability\ty1\tx1\ty2\tx2\n'
        printf '000017.png\thorse\t0.900000\t8.00\t9.50\t170.00\t200.00\n'
        printf '000012.png\tbus\t0.500000\t90.00\t150.00\t170.00\t260.00\n'
    } >pred.tsv
}

# "width height" of a PNG, from its header
png_size() {
    od -An -tu1 -j16 -N8 "$1" | awk \
        '{print $1 * 16777216 + $2 * 65536 + $3 * 256 + $4, $5 * 16777216 + $6 * 65536 + $7 * 256 + $8}'
}

boxes() {
    "$BIN/render" --kind boxes --anno anno.tsv --images images "$@"
}

@test "boxes draws every object that is not ignored and prints shape and boxes" {
    run boxes --image 17 -o x.png
    assert_success
    assert_output "(200,300,3)
(184,61,95,38) person
(9,7,194,174) horse"
    assert_equal "$(png_size x.png)" "750 450"
    run "$BIN/render" --check x.png
    assert_success
}

@test "an image is found by its id, its file name and its stem" {
    for name in 12 000012.png 000012; do
        run boxes --image "$name" -o "by-$name.png"
        assert_success
        assert_line "(155,96,96,74) car"
    done
    cmp by-12.png by-000012.png.png
    cmp by-12.png by-000012.png
}

@test "largest draws the largest object on a figure of 5 x 10 inches" {
    run "$BIN/render" --kind largest --anno anno.tsv --images images --image 17 -o x.png
    assert_success
    assert_output "(200,300,3)
(9,7,194,174) horse"
    assert_equal "$(png_size x.png)" "500 1000"
}

@test "grid draws predictions, with the truth on request, and names what it shows" {
    run "$BIN/render" --kind grid --pred pred.tsv --images images --anno anno.tsv -o x.png
    assert_success
    assert_output "000017.png horse (9.50,8.00,191.50,163.00)
000012.png bus (150.00,90.00,111.00,81.00)"
    assert_equal "$(png_size x.png)" "1200 800"
    run "$BIN/render" --kind grid --pred pred.tsv --images images --first 1 --rows 1 --columns 1 -o y.png
    assert_output "000012.png bus (150.00,90.00,111.00,81.00)"
}

@test "objects draws every object that is found, and all that are annotated" {
    {
        printf 'file_name\tcategory\tprobability\ty1\tx1\ty2\tx2\n'
        printf '000017.png\thorse\t0.900000\t8.00\t9.50\t170.00\t200.00\n'
        printf '000017.png\tperson\t0.310000\t61.00\t184.00\t98.00\t278.00\n'
        printf '000017.png\tcow\t0.290000\t1.00\t2.00\t3.00\t4.00\n'
        printf '000012.png\tbus\t0.200000\t90.00\t150.00\t170.00\t260.00\n'
    } >all.tsv
    run "$BIN/render" --kind objects --pred all.tsv --images images --anno anno.tsv -o x.png
    assert_success
    assert_output "000017.png horse (9.50,8.00,191.50,163.00)
000017.png person (184.00,61.00,95.00,38.00)"
    assert_equal "$(png_size x.png)" "1200 800"
    "$BIN/render" --kind objects --pred all.tsv --images images -o untold.png
    run cmp -s x.png untold.png # the truth is drawn
    assert_failure 1
    run "$BIN/render" --kind objects --pred all.tsv --images images --min 0.25 --first 0 --rows 1 --columns 1 -o y.png
    assert_line --index 2 "000017.png cow (2.00,1.00,3.00,3.00)"
    run "$BIN/render" --kind objects --pred all.tsv --images images --min 0.2 --first 1 -o y.png
    assert_output "000012.png bus (150.00,90.00,111.00,81.00)"
    run "$BIN/render" --kind objects --pred all.tsv --images images --first 2 -o y.png
    assert_failure 3
    assert_output "render: all.tsv: holds predictions of 2 pictures, none from number 2 on"
    run "$BIN/render" --kind grid --pred all.tsv --images images -o y.png
    assert_failure 3
    assert_output --partial "all.tsv:3: "
}

@test "a classifier's grid is 16 x 12 inches and has no boxes" {
    printf 'file_name\tcategory\tprobability\ty1\tx1\ty2\tx2\n000017.png\thorse\t0.900000\t-\t-\t-\t-\n' >cls.tsv
    run "$BIN/render" --kind grid --pred cls.tsv --images images -o x.png
    assert_success
    assert_output "000017.png horse"
    assert_equal "$(png_size x.png)" "1600 1200"
}

@test "curves, schedule and lr-find draw a training's tables" {
    run "$BIN/render" --kind curves --history h.tsv --batches b.tsv -o c.png
    assert_success
    assert_output "2 epochs, 8 batches"
    assert_equal "$(png_size c.png)" "1800 450"
    run "$BIN/render" --kind schedule --batches b.tsv -o s.png
    assert_output "8 batches"
    run "$BIN/render" --kind lr-find --lr b.tsv --skip 1 --skip-end 1 -o l.png
    assert_output "5 of 8 points
rates 1e-08 to 0.0001, the lowest loss 4.25 at 0.0001"
    assert_equal "$(png_size l.png)" "750 450"
}

@test "a learning-rate curve is shown without the points that --skip and --skip-end leave out, and one more" {
    { printf 'batch\tlr\tloss\tsmoothed\n'; for k in $(seq 32); do printf '%d\t%de-4\t2\t2\n' "$k" "$k"; done; } >32.tsv
    head -n 26 32.tsv >25.tsv
    head -n 28 32.tsv >27.tsv
    run "$BIN/render" --kind lr-find --lr 25.tsv -o l.png
    assert_line --index 0 "9 of 25 points"
    assert_line --index 1 "rates 0.0011 to 0.0019, the lowest loss 2 at 0.0011"
    run "$BIN/render" --kind lr-find --lr 25.tsv --skip 5 --skip-end 1 -o l.png
    assert_line --index 0 "18 of 25 points"
    assert_line --index 1 "rates 0.0006 to 0.0023, the lowest loss 2 at 0.0006"
    run "$BIN/render" --kind lr-find --lr 27.tsv --skip 1 -o l.png
    assert_line --index 0 "20 of 27 points"
    assert_line --index 1 "rates 0.0002 to 0.0021, the lowest loss 2 at 0.0002"
    run "$BIN/render" --kind lr-find --lr 32.tsv --skip 0 -o l.png
    assert_line --index 0 "26 of 32 points"
    assert_line --index 1 "rates 0.0001 to 0.0026, the lowest loss 2 at 0.0001"
}

@test "a learning-rate curve that is too short to trim is drawn whole" {
    run "$BIN/render" --kind lr-find --lr b.tsv -o l.png
    assert_success
    assert_line --index 0 "8 of 8 points"
    head -n 2 b.tsv >one.tsv
    run "$BIN/render" --kind lr-find --lr one.tsv --skip 0 --skip-end 0 -o l.png
    assert_line --index 0 "1 of 1 points"
}

@test "--values puts what is printed beside the picture" {
    run boxes --image 12 -o x.png --values x.txt
    assert_success
    assert_output ""
    assert_equal "$(cat x.txt)" "(200,300,3)
(155,96,96,74) car"
    run boxes --image 12 -o y.png --values nowhere/y.txt
    assert_failure 4
    assert_output --partial "nowhere/y.txt"
    rm x.txt
    run boxes --image 13 -o x.png --values x.txt
    assert_failure 3
    [ ! -e x.txt ]
}

# images/ as a cache for a network of 64 x 64 pixels
scaled() {
    printf 'fn,cat\n000012.png,car\n000017.png,horse\n' >lrg.csv
    printf '000017.png\n000012.png\n' >val.txt
    "$BIN/resize-cache" --images images --size 64 -o 64.cache lrg.csv 2>/dev/null
}

@test "sample draws a picture as it validates, with its largest object when annotations are given" {
    scaled
    run "$BIN/render" --kind sample --cache 64.cache --val val.txt --first 1 -o x.png
    assert_success
    assert_output "000012.png
(64,64,3)"
    assert_equal "$(png_size x.png)" "750 450"
    for image in 17 000017 000017.png; do
        run "$BIN/render" --kind sample --cache 64.cache --image "$image" --anno anno.tsv -o y.png
        assert_success
        # rows 7 to 180 of 200 become 3 to 57 of 64, then lose one; columns 9 to 202 of 300 become 3 to 64 of 96,
        # then 2 to 42 of 64
        assert_output "000017.png
(64,64,3)
(2,3,41,54) horse
y1 x1 y2 x2: 3 2 56 42"
    done
    run "$BIN/render" --kind sample --cache 64.cache --image 000017 -o y.png
    assert_success
}

@test "augment draws a picture nine times, and its box follows or not" {
    scaled
    run "$BIN/render" --kind augment --cache 64.cache --image 17 --anno anno.tsv -o x.png
    assert_success
    assert_equal "${#lines[@]}" 11
    assert_equal "${lines[0]} ${lines[1]}" "000017.png (64,64,3)"
    assert_equal "$(png_size x.png)" "900 900"
    refute_output --partial "outside"
    right=$(tail -n 9 <<<"$output" | cut -d ' ' -f 2-)
    run "$BIN/render" --kind augment --cache 64.cache --image 17 --anno anno.tsv --leave-boxes -o y.png
    assert_equal "$(tail -n 9 <<<"$output" | cut -d ' ' -f 1 | sort -u)" "(9,7,194,174)"
    assert_equal "$(tail -n 9 <<<"$output" | cut -d ' ' -f 2-)" "$right"
    run "$BIN/render" --kind augment --cache 64.cache --image 17 --anno anno.tsv --seed 1 -o z.png
    [ "$(tail -n 9 <<<"$output" | cut -d ' ' -f 2-)" != "$right" ]
    # four stages: the box loses two more rows and columns than in validation, on the other side when mirrored
    run "$BIN/render" --kind augment --cache 64.cache --image 17 --anno anno.tsv --augment flip=0 --augment rotate=0,0 \
        --rows 1 --columns 2 -o x.png
    assert_equal "${#lines[@]}" 4
    assert_equal "${lines[2]}" "(2,3,40,52)"
    run "$BIN/render" --kind augment --cache 64.cache --image 17 --anno anno.tsv --augment flip=1 --rows 1 \
        --columns 1 -o x.png
    assert_line --index 2 "(22,3,40,53) flip"
    run "$BIN/render" --kind augment --cache 64.cache --image 12 --anno anno.tsv --leave-boxes -o x.png
    assert_line --index 11 "the boxes lie outside of the square"
}

@test "augment draws cropped, zoomed and coloured pictures, and says what was drawn" {
    scaled
    augment() { # NAME=NUMBERS: two such pictures
        run "$BIN/render" --kind augment --cache 64.cache --image 17 --anno anno.tsv --augment "$1" --rows 1 \
            --columns 2 -o x.png
        assert_success
    }
    augment flip=0
    whole=$(md5sum <x.png)
    augment crop=0.3,1
    assert_line --index 2 --regexp '^\([0-9,]+\) crop 0\.[3-9][0-9]{2}$'
    [ "$(md5sum <x.png)" != "$whole" ]
    augment zoom=3,1
    assert_line --index 3 --regexp '^\([0-9,]+\) zoom x[12]\.[0-9]{3}$'
    [ "$(md5sum <x.png)" != "$whole" ]
    augment colour=0.4,0.1
    assert_line --index 2 --regexp '^\(2,3,41,54\) colour x[01]\.[0-9]{3} [+-]0\.[0-9]{3}$' # the validation's box
    [ "$(md5sum <x.png)" != "$whole" ]
    augment crop=1,0
    assert_line --index 2 --regexp '^\(2,3,41,54\)$'
}

@test "what sample and augment can't use is refused" {
    scaled
    run "$BIN/render" --kind sample --cache 64.cache -o x.png
    assert_failure 2
    assert_output "render: --kind sample needs --image NAME or --val FILE, one of them; see --help"
    run "$BIN/render" --kind sample --cache 64.cache --image none -o x.png
    assert_failure 3
    assert_output "render: 64.cache: 1 of 1 pictures are not in it (none); run resize-cache again"
    run "$BIN/render" --kind sample --cache 64.cache --image 12 --val val.txt -o x.png
    assert_failure 2
    run "$BIN/render" --kind sample --cache 64.cache --val val.txt --first 2 -o x.png
    assert_failure 3
    assert_output "render: val.txt: holds 2 file names, none with number 2 (from 0)"
    run "$BIN/render" --kind sample --cache 64.cache --image nothing -o x.png
    assert_failure 3
    assert_output --partial "64.cache"
    run "$BIN/render" --kind sample --cache anno.tsv --image 12 -o x.png
    assert_failure 3
    run "$BIN/render" --kind sample --cache 64.cache --val /dev/null -o x.png
    assert_failure 3
    run "$BIN/render" --kind augment --cache 64.cache --image 12 -o x.png
    assert_failure 2
    assert_output "render: --kind augment needs --anno; see --help"
    sed 's/\t300\t200\t/\t400\t200\t/' anno.tsv >other.tsv
    run "$BIN/render" --kind augment --cache 64.cache --image 12 --anno other.tsv -o x.png
    assert_failure 3
    assert_output --partial "is 300 x 200 pixels, but other.tsv says 400 x 200"
    grep -v 000012 anno.tsv >other.tsv
    run "$BIN/render" --kind augment --cache 64.cache --image 000012.png --anno other.tsv -o x.png
    assert_failure 3
    assert_output "render: other.tsv: holds no image '000012.png'"
    for wrong in turn=3 crop=0 zoom=5 colour=1,1 flip=2 flip=a rotate rotate=3,0.5,1,1,1 lighting=0.1 ""; do
        run "$BIN/render" --kind augment --cache 64.cache --image 12 --anno anno.tsv --augment "$wrong" -o x.png
        assert_failure 2
        assert_output --partial "--augment"
    done
    [ ! -e x.png ]
}

@test "the same picture has the same bytes" {
    boxes --image 17 -o a.png
    LC_ALL=de_DE.UTF-8 HOME=/nowhere boxes --image 17 -o b.png
    cmp a.png b.png
}

@test "- writes the PNG to standard output and nothing else" {
    boxes --image 17 -o a.png
    boxes --image 17 -o - >b.png
    cmp a.png b.png
}

@test "a name in .jpg gets a JPEG" {
    boxes --image 17 -o a.jpg
    run od -An -tx1 -N3 a.jpg
    assert_output " ff d8 ff"
    "$BIN/render" --check a.jpg
    head -c 2000 a.jpg >cut.jpg
    run "$BIN/render" --check cut.jpg
    assert_failure 1
}

@test "a name in another picture format's ending is refused" {
    for name in a.gif b.WebP dir.png/c.svg d.tiff; do
        run boxes --image 17 -o "$name"
        assert_failure 2
        ending=${name##*.}
        assert_output "render: $name: ${ending,,} pictures cannot be written: name it .png or .jpg"
        [ ! -e "$name" ]
    done
    # no ending, or one that means nothing to pictures, gets a PNG
    for name in a b.out c.gif.d; do
        run boxes --image 17 -o "$name"
        assert_success
        "$BIN/render" --check "$name"
    done
}

@test "figure, label size and trim change the look" {
    boxes --image 17 --figure 16x8 --label-size 20 -o a.png
    assert_equal "$(png_size a.png)" "1600 800"
    boxes --image 17 --trim -o b.png
    run png_size b.png
    refute_output "750 450"
}

@test "an unknown image is bad input and leaves no file" {
    run boxes --image 13 -o x.png
    assert_failure 3
    assert_output "render: anno.tsv: holds no image '13'"
    run ls
    refute_output --partial x.png
}

@test "a missing picture is bad input and names the file" {
    rm images/000012.png
    run boxes --image 12 -o x.png
    assert_failure 3
    assert_output --partial "images/000012.png"
    assert [ ! -e x.png ]
}

@test "a damaged picture is bad input" {
    head -c 300 images/000017.png >images/000012.png
    run boxes --image 12 -o x.png
    assert_failure 3
    assert_output --partial "images/000012.png"
    assert [ ! -e x.png ]
}

@test "a picture of another size than annotated is bad input" {
    sed 's/\t300\t200\tcar/\t400\t200\tcar/' anno.tsv >other.tsv
    run "$BIN/render" --kind boxes --anno other.tsv --images images --image 12 -o x.png
    assert_failure 3
    assert_output --partial "is 300 x 200 pixels, but other.tsv says 400 x 200"
}

@test "an image whose objects are all ignored has no largest one" {
    sed 's/0$/1/' anno.tsv >ignored.tsv
    run "$BIN/render" --kind largest --anno ignored.tsv --images images --image 17 -o x.png
    assert_failure 3
    assert_output --partial "every object of image '17' is ignored"
}

@test "malformed tables are bad input with file and line" {
    printf 'nonsense\n' >bad.tsv
    run "$BIN/render" --kind boxes --anno bad.tsv --images images --image 12 -o x.png
    assert_failure 3
    assert_output --partial "bad.tsv:1"
    run "$BIN/render" --kind grid --pred bad.tsv --images images -o x.png
    assert_failure 3
    assert_output --partial "bad.tsv:1"
    sed '3s/0.65/high/' h.tsv >bad.tsv
    run "$BIN/render" --kind curves --history bad.tsv -o x.png
    assert_failure 3
    assert_output "render: bad.tsv:3: val_loss 'high' is not a number"
    sed '3s/\t20$//' h.tsv >bad.tsv
    run "$BIN/render" --kind curves --history bad.tsv -o x.png
    assert_failure 3
    assert_output "render: bad.tsv:3: 7 fields, the header has 8"
    assert [ ! -e x.png ]
}

@test "empty tables and tables without the column are bad input" {
    : >empty.tsv
    run "$BIN/render" --kind curves --history empty.tsv -o x.png
    assert_failure 3
    assert_output --partial "empty.tsv: is empty"
    head -1 h.tsv >rows.tsv
    run "$BIN/render" --kind curves --history rows.tsv -o x.png
    assert_failure 3
    assert_output --partial "rows.tsv: holds no rows"
    run "$BIN/render" --kind lr-find --lr h.tsv -o x.png
    assert_failure 3
    assert_output --partial "h.tsv:1: has no column 'lr'"
    head -1 pred.tsv >none.tsv
    run "$BIN/render" --kind grid --pred none.tsv --images images -o x.png
    assert_failure 3
    assert_output --partial "none.tsv: holds predictions of 0 pictures"
}

@test "binary noise instead of a table is bad input" {
    head -c 5000 /dev/urandom >noise.tsv
    for kind in "curves --history" "lr-find --lr" "schedule --batches" "grid --images images --pred"; do
        # shellcheck disable=SC2086
        run "$BIN/render" --kind $kind noise.tsv -o x.png
        assert_failure 3
    done
    assert [ ! -e x.png ]
}

@test "an output that cannot be written is a system error" {
    run boxes --image 12 -o nowhere/x.png
    assert_failure 4
    assert_output --partial "nowhere/x.png"
}

@test "an older picture survives a failure" {
    boxes --image 12 -o x.png
    cp x.png before.png
    run boxes --image 13 -o x.png
    assert_failure 3
    cmp x.png before.png
}

@test "what a kind needs and wrong values are usage errors" {
    run "$BIN/render" --kind boxes --anno anno.tsv -o x.png
    assert_failure 2
    assert_output "render: --kind boxes needs --images; see --help"
    run "$BIN/render" --kind pie -o x.png
    assert_failure 2
    run boxes --image 12 --figure 12 -o x.png
    assert_failure 2
    run boxes --image 12 --figure 0x5 -o x.png
    assert_failure 2
    run "$BIN/render" --kind grid --pred pred.tsv -o x.png
    assert_failure 2
    run "$BIN/render" --kind curves --history h.tsv --figure 0.2x0.2 -o x.png
    assert_failure 2
    assert [ ! -e x.png ]
}

@test "a grid from a cache needs boxes in its frame" {
    printf 'fn,cat\n000012.png,car\n000017.png,horse\n' >lrg.csv
    "$BIN/resize-cache" --images images -o 224.cache lrg.csv
    run "$BIN/render" --kind grid --pred pred.tsv --cache 224.cache -o x.png
    assert_failure 3
    assert_output --partial "predict with --frame 224"
    {
        printf 'file_name\tcategory\tprobability\ty1\tx1\ty2\tx2\ty1_224\tx1_224\ty2_224\tx2_224\n'
        printf '000017.png\thorse\t0.900000\t8.00\t9.50\t170.00\t200.00\t9.00\t7.00\t190.00\t149.00\n'
    } >framed.tsv
    run "$BIN/render" --kind grid --pred framed.tsv --cache 224.cache --anno anno.tsv -o x.png
    assert_success
    assert_output "000017.png horse (7.00,9.00,143.00,182.00)"
    sed 's/000017/000099/' framed.tsv >absent.tsv
    run "$BIN/render" --kind grid --pred absent.tsv --cache 224.cache -o y.png
    assert_failure 3
    assert_output --partial "000099.png"
    assert [ ! -e y.png ]
}

@test "help names the kinds and version the libraries" {
    run "$BIN/render" --help
    assert_success
    assert_output --partial "EXAMPLES"
    run "$BIN/render" --version
    assert_success
    assert_output --partial "cairo 1."
}

@test "check tells pictures from other files" {
    boxes --image 12 -o x.png
    run "$BIN/render" --check x.png
    assert_success
    assert_output ""
    head -c 400 x.png >cut.png
    run "$BIN/render" --check cut.png
    assert_failure 1
    run "$BIN/render" --check anno.tsv
    assert_failure 1
    run "$BIN/render" --check none.png
    assert_failure 1
}

@test "the reference run's shapes and boxes are printed for images 12, 17 and 9654" {
    [ -d "$shared/JPEGImages" ] || skip "no ../shared/data/voc2007 here"
    "$BIN/json2anno" -o voc.tsv "$shared/annotations/pascal_train2007.json" 2>/dev/null
    voc() {
        "$BIN/render" --kind "$1" --anno voc.tsv --images "$shared/JPEGImages" --image "$2" -o x.png
    }
    run voc boxes 12
    assert_output "(333,500,3)
(155,96,196,174) car"
    run voc boxes 17
    assert_output "(364,480,3)
(184,61,95,138) person
(89,77,314,259) horse"
    run voc largest 17
    assert_output "(364,480,3)
(89,77,314,259) horse"
    run voc boxes 9654
    assert_line --index 0 "(500,333,3)"
}

@test "the reference run's validation pictures 0, 3 and 5 have its boxes, and its grid's order is that of the split" {
    [ -d "$shared/JPEGImages" ] || skip "no ../shared/data/voc2007 here"
    {
        "$BIN/json2anno" -o voc.tsv "$shared/annotations/pascal_train2007.json"
        "$BIN/largest" -o largest.tsv voc.tsv
        "$BIN/mkcsv" --lrg all.csv --bb bb.csv --val all.txt largest.tsv
        # the first twelve of them validate, a few others train
        head -n 12 all.txt >val.txt
        { head -n 1 all.csv; grep -F -f val.txt all.csv; tail -n 20 all.csv; } >lrg.csv
        "$BIN/resize-cache" --images "$shared/JPEGImages" -o 224.cache lrg.csv
        printf 'arch tiny\nphase head from head lr 1e-3 cosine cycles 1 len 1\n' >tiny.recipe
        "$BIN/train-cls" --cache 224.cache --lrg lrg.csv --val val.txt --weights none --recipe tiny.recipe -o cls.ckpt
        "$BIN/predict" --ckpt cls.ckpt --cache 224.cache --only val.txt --frame 224 -o pred.tsv
    } >log 2>&1
    sample() {
        "$BIN/render" --kind "$1" --cache 224.cache --val val.txt --first "$2" --anno largest.tsv -o x.png "${@:3}"
    }
    run sample sample 0
    assert_output "000048.jpg
(224,224,3)
(1,0,178,224) person
y1 x1 y2 x2: 0 1 223 178"
    run sample sample 3
    assert_output "008280.jpg
(224,224,3)
(1,60,223,127) aeroplane
y1 x1 y2 x2: 60 1 186 223"
    run sample augment 5 --leave-boxes
    assert_line --index 0 "008296.jpg"
    assert_equal "$(tail -n 9 <<<"$output" | cut -d ' ' -f 1 | sort | uniq -c | tr -s ' ')" " 9 (51,102,449,222)"
    # mirrored and not rotated: one of the published run's nine boxes
    run sample augment 5 --augment flip=1 --augment rotate=0,0 --rows 1 --columns 1
    assert_line --index 2 "(1,69,199,146) flip"
    run "$BIN/render" --kind grid --pred pred.tsv --cache 224.cache -o x.png
    assert_success
    assert_equal "$(cut -d . -f 1 <<<"$output" | sed 's/^0*//' | xargs)" \
        "48 61 83 8280 104 8296 8302 8313 141 8336 8338 8342"
}
