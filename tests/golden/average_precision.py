#!/usr/bin/env python3
"""Makes tests/golden/ap/{anno.tsv,pred.tsv,metrics.json}: drawn annotations and predictions, and their average precision
by the rule of VOC's development kit (VOCevaldet.m), written from its description with numpy.

usage: python3 tests/golden/average_precision.py     (numpy)
"""
import json, os
import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ap")
rng = np.random.RandomState(3)
CLASSES = ["cat", "dog", "potted plant", "-", "unseen"]
truth, found = [], []  # picture, class, box (y1 x1 y2 x2, corners inside), ignore / score

for n in range(30):
    for _ in range(rng.randint(1, 5)):
        y, x = rng.randint(0, 60, 2)
        box = [y, x, y + rng.randint(8, 38), x + rng.randint(8, 38)]
        truth.append([n, CLASSES[rng.randint(0, 4)], box, int(rng.rand() < 0.2)])
for n, c, box, _ in truth:
    for _ in range(rng.choice([0, 1, 1, 2])):  # some are missed, some found twice
        moved = np.clip(np.array(box) + rng.randint(-6, 7, 4), 0, 99)
        other = c if rng.rand() < 0.85 else CLASSES[rng.randint(0, 4)]
        found.append([n, other, sorted([moved[0], moved[2]]) + sorted([moved[1], moved[3]]), round(rng.rand(), 2)])
for n in range(0, 30, 4):
    found.append([n, "cat", [2, 20, 3, 30], 0.5])  # wrong ones, with equal scores
    found.append([n, "unseen", [1, 9, 1, 9], 0.5])
found = [f for f in found if f[0] != 7]  # of picture 7 nothing is found
found.sort(key=lambda f: (f[0], -f[3]))


def corners(b):
    return [b[0], b[2], b[1], b[3]]


def overlap(a, b):
    h, w = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    if h <= 0 or w <= 0:
        return 0.0
    area = lambda r: (r[2] - r[0] + 1) * (r[3] - r[1] + 1)
    return h * w / (area(a) + area(b) - h * w)


def judge(c):
    mine = [f for f in found if f[1] == c]
    mine = [mine[i] for i in np.argsort([-f[3] for f in mine], kind="stable")]
    objects = sum(1 for t in truth if t[1] == c and not t[3])
    used, tp, fp = set(), [], []
    for n, _, box, _ in mine:
        best, at = -1.0, None
        for i, t in enumerate(truth):
            if t[0] == n and t[1] == c:
                o = overlap(corners(box), t[2])
                if o > best:
                    best, at = o, i
        right = wrong = 0
        if best >= 0.5:
            if not truth[at][3]:
                right, wrong = (0, 1) if at in used else (1, 0)
                used.add(at)
        else:
            wrong = 1
        tp.append(right)
        fp.append(wrong)
    result = {"name": c, "objects": objects, "predicted": len(mine), "right": sum(tp), "ap50": None, "ap50_eleven": None}
    if objects:
        tp, fp = np.cumsum(tp), np.cumsum(fp)
        recall, precision = tp / objects, tp / np.maximum(tp + fp, 1)
        result["ap50_eleven"] = float(np.mean([max([p for r, p in zip(recall, precision) if r >= t - 1e-12], default=0) for t in np.arange(11) / 10]))
        r, p = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
        p = np.maximum.accumulate(p[::-1])[::-1]
        step = np.where(r[1:] != r[:-1])[0]
        result["ap50"] = float(np.sum((r[step + 1] - r[step]) * p[step + 1]))
    return result


def number(v):
    return "null" if v is None else "%.6f" % v


os.makedirs(HERE, exist_ok=True)
with open(HERE + "/anno.tsv", "w") as f:
    f.write("image_id\tfile_name\twidth\theight\tcategory\ty1\tx1\ty2\tx2\tignore\n")
    for n, c, b, ignore in truth:
        f.write("%d\t%02d.jpg\t100\t100\t%s\t%d\t%d\t%d\t%d\t%d\n" % (n, n, c, *b, ignore))
with open(HERE + "/pred.tsv", "w") as f:
    f.write("file_name\tcategory\tprobability\ty1\tx1\ty2\tx2\n")
    for n in range(30):
        rows = [g for g in found if g[0] == n]
        for _, c, b, score in rows:
            f.write("%02d.jpg\t%s\t%.6f\t%.2f\t%.2f\t%.2f\t%.2f\n" % (n, c, score, *corners(b)))
        if not rows:
            f.write("%02d.jpg\t-\t-\t-\t-\t-\t-\n" % n)
classes = [judge(c) for c in sorted(CLASSES)]
have = [c for c in classes if c["objects"]]
with open(HERE + "/metrics.json", "w") as f:
    f.write('{\n  "pictures": 30,\n  "objects": %d,\n  "predicted": %d,\n  "ignored": %d,\n' % (
        sum(not t[3] for t in truth), len(found), sum(t[3] for t in truth)))
    f.write('  "ap50": %s,\n  "ap50_eleven": %s,\n  "classes": [\n' % tuple(number(np.mean([c[k] for c in have])) for k in ("ap50", "ap50_eleven")))
    for i, c in enumerate(classes):
        f.write('    {"name": %s, "objects": %d, "predicted": %d, "right": %d, "ap50": %s, "ap50_eleven": %s}%s\n' % (
            json.dumps(c["name"]), c["objects"], c["predicted"], c["right"], number(c["ap50"]), number(c["ap50_eleven"]), "," if i + 1 < len(classes) else ""))
    f.write("  ]\n}\n")
