# peers.py - what a user would run in Python instead of some of our programs; `make bench` puts both in one row.
# usage: python3 peers.py have MODULE | resize opencv|pillow FOLDER LIST SIZE THREADS | json FILE OUTPUT
# Prints the seconds of the work itself: neither starting Python nor importing its modules is counted.
import importlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def resize(module, folder, names, size, threads):
    """Decodes each picture and scales its shorter side to `size` by area averages; keeps all pixels."""
    if module == "opencv":
        import cv2

        cv2.setNumThreads(1)

        def one(name):
            picture = cv2.imread(os.path.join(folder, name))
            h, w = picture.shape[:2]
            shape = (size * w // h, size) if w > h else (size, size * h // w)
            return cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
    else:
        from PIL import Image

        def one(name):
            with Image.open(os.path.join(folder, name)) as picture:
                w, h = picture.size
                shape = (size * w // h, size) if w > h else (size, size * h // w)
                return picture.convert("RGB").resize(shape, Image.Resampling.BOX).tobytes()

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        kept = list(pool.map(one, names))
    seconds = time.perf_counter() - start
    assert len(kept) == len(names)
    return seconds


def table(path, output):
    """COCO-like JSON to the rows of anno.tsv."""
    start = time.perf_counter()
    with open(path, encoding="utf-8") as f:
        data = json.load(f)
    images = {i["id"]: i for i in data["images"]}
    classes = {c["id"]: c["name"] for c in data["categories"]}
    rows = {i: [] for i in images}
    for a in data["annotations"]:
        if a.get("ignore") or a.get("iscrowd"):
            continue
        x, y, w, h = a["bbox"]
        i = images[a["image_id"]]
        rows[i["id"]].append(
            (i["id"], i["file_name"], i["width"], i["height"], classes[a["category_id"]], y, x, y + h - 1, x + w - 1, 0)
        )
    with open(output, "w", encoding="utf-8") as f:
        f.write("image_id\tfile_name\twidth\theight\tcategory\ty1\tx1\ty2\tx2\tignore\n")
        for of_image in rows.values():
            for row in of_image:
                f.write("\t".join(map(str, row)) + "\n")
    return time.perf_counter() - start


what = sys.argv[1]
if what == "have":
    print(importlib.import_module(sys.argv[2]).__version__)
elif what == "resize":
    with open(sys.argv[4], encoding="utf-8") as f:
        listed = [line.rstrip("\n") for line in f]
    print(f"{resize(sys.argv[2], sys.argv[3], listed, int(sys.argv[5]), int(sys.argv[6])):.4f}")
elif what == "json":
    print(f"{table(sys.argv[2], sys.argv[3]):.4f}")
else:
    sys.exit("peers.py: have, resize or json")
