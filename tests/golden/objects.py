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
STRIDE = 16


def middles(size):
    at = torch.arange(size // STRIDE) * STRIDE + STRIDE / 2.0
    y, x = torch.meshgrid(at, at, indexing="ij")
    return y.reshape(-1), x.reshape(-1)


def assign(objects, size):
    """For each cell the number of the object that it answers for; -1: none, -2: ignored."""
    y, x = middles(size)
    owner = torch.full((len(y),), -1)
    for c, y1, x1, y2, x2 in objects:
        if c < 0:
            owner[(y > y1) & (y < y2) & (x > x1) & (x < x2)] = -2
    smallest = torch.full((len(y),), 1e9)
    for n, (c, y1, x1, y2, x2) in enumerate(objects):
        if c < 0:
            continue
        cy, cx = (y1 + y2) / 2, (x1 + x2) / 2
        inside = (y > y1) & (y < y2) & (x > x1) & (x < x2)
        near = ((y - cy).abs() < max(1.5 * STRIDE, 0.2 * (y2 - y1))) & ((x - cx).abs() < max(1.5 * STRIDE, 0.2 * (x2 - x1)))
        m = inside & near
        if not m.any():
            d = (y - cy) ** 2 + (x - cx) ** 2
            m = torch.arange(len(y)) == int(d.argmin())
        area = (y2 - y1) * (x2 - x1)
        m &= smallest > area
        smallest[m] = area
        owner[m] = n
    return owner


def boxes_of(out, size):  # x1 y1 x2 y2, as torchvision has them
    y, x = middles(size)
    d = F.softplus(out[:, :4]) * size * 0.2
    return torch.stack([x - d[:, 1], y - d[:, 0], x + d[:, 3], y + d[:, 2]], -1)


def loss_of(out, pictures, size):
    """out: pictures x (4 + classes) x cells. Loss, share of right cells, distance of boxes, owners of all cells."""
    owners = [assign(o, size) for o in pictures]
    n = sum(int((o >= 0).sum()) for o in owners)
    weights = []
    for o in owners:
        own = torch.stack([(o == int(k)).sum() if k >= 0 else torch.tensor(1) for k in o]).to(out.dtype)
        weights.append(own**-0.5 * (o != -2))
    total = max(float(sum(w[o >= 0].sum() for w, o in zip(weights, owners))), 1)
    scores = boxed = 0
    right = distance = 0
    boxes = boxes_of(out, size)
    for k, owner in enumerate(owners):
        own = owner >= 0
        t = torch.tensor(pictures[k], dtype=out.dtype)[owner[own]]
        truth, cls = t[:, [2, 1, 4, 3]], t[:, 0].long()
        mine = boxes[k][own]
        wanted = torch.zeros(out.shape[1] - 4, out.shape[2], dtype=out.dtype)
        if own.any():
            boxed = boxed + (weights[k][own] * generalized_box_iou_loss(mine, truth)).sum()
            wanted[cls, own.nonzero()[:, 0]] = torch.diagonal(box_iou(mine.detach(), truth))
            right += int((out[k, 4:, own].argmax(0) == cls).sum())
            distance += float((mine.detach() - truth).abs().mean(1).sum())
        s = out[k, 4:]
        each = (wanted - s.sigmoid()).abs() ** 2 * F.binary_cross_entropy_with_logits(s, wanted, reduction="none")
        scores = scores + (weights[k] * each).sum()
    return (scores + 0.7 * boxed) / total, right / n, distance / n, owners


def numbers(values):
    return " ".join("%.9g" % float(torch.as_tensor(v).detach()) for v in values)


def main():
    size, classes = 128, 3
    # class (-1: ignored), y1, x1, y2, x2: big and small ones that share cells, one between cells, one ignored
    pictures = [
        [(0, 8, 12, 120, 124), (2, 40, 48, 81, 78), (1, 98, 2, 102, 6), (-1, 0, 80, 60, 128)],
        [(1, 0, 0, 128, 128), (1, 20, 20, 60, 52), (2, 24, 16, 56.5, 63), (-1, 120, 120, 128, 128)],
        [(-1, 6, 6, 40, 40)],
    ]
    cells = (size // STRIDE) ** 2
    start = np.float32(2 * np.sin(0.37 * np.arange(len(pictures) * (4 + classes) * cells)) - 1)
    out = torch.tensor(start.astype(np.float64)).reshape(len(pictures), 4 + classes, cells).requires_grad_()
    loss, right, distance, owners = loss_of(out, pictures, size)
    loss.backward()
    lines = ["owners " + numbers(torch.cat(owners)), "loss " + numbers([loss, right, distance]), "gradient " + numbers(out.grad.reshape(-1))]

    # ten steps of Adam on the outputs themselves; eps beside the uncorrected root, as the devices have it
    p, m, v, losses = out.detach().clone(), 0, 0, []
    for t in range(1, 11):
        p = p.detach().requires_grad_()
        value = loss_of(p, pictures, size)[0]
        value.backward()
        losses.append(value)
        m, v = 0.9 * m + 0.1 * p.grad, 0.999 * v + 0.001 * p.grad**2
        p = p - 0.05 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v.sqrt() + 1e-8)
    lines.append("steps " + numbers(losses + [loss_of(p, pictures, size)[0]]))

    # what is found: the best class of each cell above 0.4, suppressed at 0.5, the best 12
    for k in range(len(pictures)):
        score, cls = out[k, 4:].detach().sigmoid().max(0)
        keep = score >= 0.4
        boxes = boxes_of(out.detach(), size)[k].clamp(0, size)[keep]
        found = batched_nms(boxes, score[keep], cls[keep], 0.5)[:12]
        rows = [(int(cls[keep][i]), float(score[keep][i]), *(float(boxes[i][j]) for j in (1, 0, 3, 2))) for i in found]
        lines.append("found%d " % k + numbers(v for row in rows for v in row))

    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "objects.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
