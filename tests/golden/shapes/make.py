# The little training set of the end-to-end tests: one coloured shape a picture, 96 x 80, PNG and a few JPEGs.
# usage: python3 make.py DIR   (numpy, opencv)
import os
import sys

import cv2
import numpy as np

out = sys.argv[1]
r = np.random.RandomState(3)
colours = {"disc": (40, 40, 220), "square": (60, 200, 60), "triangle": (220, 90, 40)}
rows = []
for i in range(1, 61):
    h, w = (80, 96) if i % 5 else (96, 80)
    kind = list(colours)[i % 3]
    im = np.full((h, w, 3), r.randint(100, 180, 3), np.uint8)
    s = r.randint(26, 50)
    y, x = r.randint(2, h - s - 2), r.randint(2, w - s - 2)
    colour = colours[kind]
    if kind == "disc":
        cv2.ellipse(im, (x + s // 2, y + s // 2), (s // 2, s // 2), 0, 0, 360, colour, -1)
        box = (y, x, y + s // 2 * 2, x + s // 2 * 2)
    elif kind == "square":
        cv2.rectangle(im, (x, y), (x + s, y + s), colour, -1)
        box = (y, x, y + s, x + s)
    else:
        cv2.fillPoly(im, [np.array([(x, y + s), (x + s, y + s), (x + s // 2, y)])], colour)
        box = (y, x, y + s, x + s)
    name = f"{i:06d}." + ("jpg" if i % 10 == 0 else "png")
    cv2.imwrite(os.path.join(out, name), im, [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_JPEG_QUALITY, 90])
    rows.append((name, kind, box))
with open(os.path.join(out, "lrg.csv"), "w") as f:
    f.write("fn,cat\n" + "".join(f"{n},{k}\n" for n, k, _ in rows))
with open(os.path.join(out, "bb.csv"), "w") as f:
    f.write("fn,bbox\n" + "".join("%s,%d %d %d %d\n" % (n, *b) for n, _, b in rows))
with open(os.path.join(out, "val.txt"), "w") as f:
    f.write("".join(f"{n}\n" for n, _, _ in rows if int(n[:6]) % 4 == 0))
