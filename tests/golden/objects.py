#!/usr/bin/env python3
"""Makes tests/golden/objects.txt: the loss of a dense detector and what it finds, computed by PyTorch and torchvision in
double precision, for tests/unit/test_objects.c.

usage: python3 tests/golden/objects.py     (torch, torchvision, numpy)

The outputs are 2 sin(0.37 i) - 1 in float32, for both sides to compute. Lines: NAME VALUES…; the gradient is kept whole.
"""
import os
import numpy as np, torch, torch.nn.functional as F
from torchvision.ops import batched_nms, box_iou, generalized_box_iou_loss

torch.set_default_dtype(torch.float64)
STRIDE, SIZE, CLASSES = 8, 64, 3
SIDE = SIZE // STRIDE
CELLS = SIDE * SIDE
# class (-1: ignored), y1, x1, y2, x2: big and small ones that share cells, one between cells, one ignored
OBJECTS = [
    [(0, 4, 6, 60, 62), (2, 20, 24, 40.5, 39), (1, 49, 1, 51, 3), (-1, 0, 40, 30, 64)],
    [(1, 0, 0, 64, 64), (1, 10, 10, 30, 26), (2, 12, 8, 28.25, 31.5), (-1, 60, 60, 64, 64)],
    [(-1, 3, 3, 20, 20)],
]
BATCH = len(OBJECTS)
y, x = torch.meshgrid(torch.arange(SIDE) * STRIDE + STRIDE / 2.0, torch.arange(SIDE) * STRIDE + STRIDE / 2.0, indexing="ij")
y, x = y.reshape(-1), x.reshape(-1)


def assign(objects):
    owner = torch.full((CELLS,), -1)
    for c, y1, x1, y2, x2 in objects:
        if c < 0:
            owner[(y > y1) & (y < y2) & (x > x1) & (x < x2)] = -2
    smallest = torch.full((CELLS,), 1e9)
    for n, (c, y1, x1, y2, x2) in enumerate(objects):
        if c < 0:
            continue
        cy, cx = (y1 + y2) / 2, (x1 + x2) / 2
        inside = (y > y1) & (y < y2) & (x > x1) & (x < x2)
        near = ((y - cy).abs() < max(1.5 * STRIDE, 0.2 * (y2 - y1))) & ((x - cx).abs() < max(1.5 * STRIDE, 0.2 * (x2 - x1)))
        m = inside & near
        if not m.any():
            d = (y - cy) ** 2 + (x - cx) ** 2
            m = torch.arange(CELLS) == int(d.argmin())
        area = (y2 - y1) * (x2 - x1)
        m &= smallest > area
        smallest[m] = area
        owner[m] = n
    return owner


def boxes_of(out):  # x1 y1 x2 y2, as torchvision has them
    d = F.softplus(out[:, :4]) * SIZE * 0.2
    return torch.stack([x - d[:, 1], y - d[:, 0], x + d[:, 3], y + d[:, 2]], -1)


def loss_of(out):
    owners = [assign(o) for o in OBJECTS]
    n = sum(int((o >= 0).sum()) for o in owners)
    scores = boxed = 0
    right = distance = 0
    boxes = boxes_of(out)
    for k, owner in enumerate(owners):
        own, used = owner >= 0, owner != -2
        t = torch.tensor(OBJECTS[k])[owner[own]]
        truth, cls = t[:, [2, 1, 4, 3]], t[:, 0].long()
        mine = boxes[k][own]
        wanted = torch.zeros(CLASSES, CELLS)
        if own.any():
            boxed = boxed + generalized_box_iou_loss(mine, truth, reduction="sum")
            wanted[cls, own.nonzero()[:, 0]] = torch.diagonal(box_iou(mine.detach(), truth))
            right += int((out[k, 4:, own].argmax(0) == cls).sum())
            distance += float((mine.detach() - truth).abs().mean(1).sum())
        s = out[k, 4:]
        each = (wanted - s.sigmoid()).abs() ** 2 * F.binary_cross_entropy_with_logits(s, wanted, reduction="none")
        scores = scores + each[:, used].sum()
    return (scores + 2 * boxed) / n, right / n, distance / n, owners


def numbers(values):
    return " ".join("%.9g" % float(torch.as_tensor(v).detach()) for v in values)


start = np.float32(2 * np.sin(0.37 * np.arange(BATCH * (4 + CLASSES) * CELLS)) - 1)
out = torch.tensor(start.astype(np.float64)).reshape(BATCH, 4 + CLASSES, CELLS).requires_grad_()
loss, right, distance, owners = loss_of(out)
loss.backward()
lines = ["owners " + numbers(torch.cat(owners)), "loss " + numbers([loss, right, distance]), "gradient " + numbers(out.grad.reshape(-1))]

# ten steps of Adam on the outputs themselves; eps beside the uncorrected root, as the devices have it
p, m, v, losses = out.detach().clone(), 0, 0, []
for t in range(1, 11):
    p = p.detach().requires_grad_()
    value = loss_of(p)[0]
    value.backward()
    losses.append(float(value.detach()))
    m, v = 0.9 * m + 0.1 * p.grad, 0.999 * v + 0.001 * p.grad**2
    p = p - 0.05 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v.sqrt() + 1e-8)
lines.append("steps " + numbers(losses + [float(loss_of(p)[0])]))

# what is found: the best class of each cell above 0.4, suppressed at 0.5, the best 12
for k in range(BATCH):
    score, cls = out[k, 4:].detach().sigmoid().max(0)
    keep = score >= 0.4
    boxes = boxes_of(out.detach())[k].clamp(0, SIZE)[keep]
    found = batched_nms(boxes, score[keep], cls[keep], 0.5)[:12]
    rows = [(int(cls[keep][i]), float(score[keep][i]), *(float(boxes[i][j]) for j in (1, 0, 3, 2))) for i in found]
    lines.append("found%d " % k + numbers(v for row in rows for v in row))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "objects.txt"), "w") as f:
    f.write("\n".join(lines) + "\n")
