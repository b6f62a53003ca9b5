#!/usr/bin/env python3
"""The detector of all objects in PyTorch, from the same recipe, pictures and tables: what to hold ours against.

usage: torch_objects.py RECIPE WEIGHTS.safetensors PICTURES objects.tsv val.txt OUT.tsv [SEED [THREADS]]
    (torch, torchvision, opencv-python-headless, numpy, safetensors)

OUT.tsv is a table as predict --all --min 0.01 --flip writes it, and OUT.largest.tsv one of the largest objects, for
evaluate to judge. Network, loss, rates and augmentations are ours; the order of pictures and all draws are torch's and
numpy's. bf16 autocast.
"""
import csv, math, sys, time
import cv2, numpy as np, torch, torch.nn as nn, torch.nn.functional as F, torchvision
import torchvision.transforms.functional as T
from safetensors.torch import load_file
from torchvision.ops import batched_nms, generalized_box_iou_loss

STRIDE, REACH, LARGEST_POWER = 16, 0.2, 0.5
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def read_recipe(path):
    recipe = {"augments": [], "phases": []}
    for line in open(path):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "augment":
            recipe["augments"].append((words[1], [float(w) for w in words[2:]]))
        elif words[0] == "phase":
            at = {w: i for i, w in enumerate(words)}
            rates = [float(w) for w in words[at["lr"] + 1 : at["triangular"]]]
            recipe["phases"].append({"from": words[at["from"] + 1], "lr": rates * (3 // len(rates)), "div": float(words[at["triangular"] + 1]),
                                     "cut": int(words[at["triangular"] + 2]), "epochs": int(words[at["epochs"] + 1])})
        else:
            recipe[words[0]] = words[1]
    return recipe


# ---------------------------------------------------------------- pictures and their objects (x1 y1 x2 y2, edges)


def symmetric(rng, s):
    return rng.uniform(-s, s)


def place(first, end, whole, length, draw):
    low, high = 0, whole - length
    if first < end:
        a, b = int(math.floor(first)), int(math.ceil(end))
        length = max(length, b - a)
        low, high = max(b - length, 0), min(a, whole - length)
    return low + int(draw * (high - low + 1)), length


def augment(p, boxes, left, augments, rng):
    """p: height x width x 3 in [0,1]; boxes: count x 4; left: the share of each that is still there."""
    for name, n in augments:
        h, w = p.shape[:2]
        if name == "flip" and rng.random() < n[0]:
            p, boxes = p[:, ::-1], np.stack([w - boxes[:, 2], boxes[:, 1], w - boxes[:, 0], boxes[:, 3]], 1)
        elif name == "zoom":
            taken, times = rng.random() < n[1], 1 + rng.random() * (n[0] - 1)
            if taken:
                H, W = round(h * times), round(w * times)
                y, x = int(rng.random() * (H - h + 1)), int(rng.random() * (W - w + 1))
                canvas = np.empty((H, W, 3), np.float32)
                canvas[:] = MEAN
                canvas[y : y + h, x : x + w] = p
                p, boxes = canvas, boxes + [x, y, x, y]
        elif name == "crop":
            taken, share, ratio = rng.random() < n[1], n[0] + rng.random() * (1 - n[0]), math.exp(symmetric(rng, math.log(4 / 3)))
            if taken:
                ch, cw = min(max(round(h * math.sqrt(share / ratio)), 1), h), min(max(round(w * math.sqrt(share * ratio)), 1), w)
                keep = np.zeros(4)
                if len(boxes):
                    k = int(rng.random() * len(boxes))
                    keep = boxes[k] if left[k] > 0 else keep
                y, ch = place(keep[1], keep[3], h, ch, rng.random())
                x, cw = place(keep[0], keep[2], w, cw, rng.random())
                p, boxes = p[y : y + ch, x : x + cw], boxes - [x, y, x, y]
        elif name == "colour":
            t = torch.from_numpy(np.ascontiguousarray(p)).permute(2, 0, 1)
            p = T.adjust_hue(T.adjust_saturation(t, 1 + symmetric(rng, n[0])), symmetric(rng, n[1])).permute(1, 2, 0).numpy()
        elif name == "lighting":
            b, c = symmetric(rng, n[0]), symmetric(rng, n[1])
            mu = p.mean()
            p = np.clip((p - mu) * (1 / (1 - c) if c < 0 else 1 + c) + mu + b, 0, 1)
        h, w = p.shape[:2]
        if len(boxes):
            cut = np.clip(boxes, 0, [w, h, w, h])
            area = lambda r: np.maximum(r[:, 2] - r[:, 0], 0) * np.maximum(r[:, 3] - r[:, 1], 0)
            left = np.where(left > 0, left * area(cut) / np.maximum(area(boxes), 1e-9), 0)
            boxes = cut
    return p, boxes, left


class Pictures(torch.utils.data.Dataset):
    def __init__(self, rows, folder, size, augments, classes, seed):
        self.rows, self.size, self.augments, self.seed, self.epoch = rows, size, augments, seed, 0
        self.pixels = []
        for name, objects in rows:
            p = cv2.cvtColor(cv2.imread(f"{folder}/{name}"), cv2.COLOR_BGR2RGB)
            scale = size / min(p.shape[:2])
            self.pixels.append(cv2.resize(p, (max(round(p.shape[1] * scale), size), max(round(p.shape[0] * scale), size)), interpolation=cv2.INTER_AREA))
        self.classes = classes

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        name, objects = self.rows[i]
        p = self.pixels[i].astype(np.float32) / 255
        h, w = p.shape[:2]
        ow, oh = objects[0][5], objects[0][6]
        boxes = np.array([[o[1] * w / ow, o[0] * h / oh, (o[3] + 1) * w / ow, (o[2] + 1) * h / oh] for o in objects])
        p, boxes, left = augment(p, boxes, np.ones(len(boxes)), self.augments, np.random.default_rng((self.seed, self.epoch, i)))
        sy, sx = self.size / p.shape[0], self.size / p.shape[1]
        p = cv2.resize(np.ascontiguousarray(p), (self.size, self.size), interpolation=cv2.INTER_AREA)
        cls = np.array([-1 if o[7] or l < 0.4 else self.classes.index(o[4]) for o, l in zip(objects, left)])
        keep = left > 0
        return torch.from_numpy((p - MEAN) / STD).permute(2, 0, 1), assign(boxes[keep] * [sx, sy, sx, sy], cls[keep], self.size)


def assign(boxes, cls, size):
    """Class (-1: none, -2: ignored), box and weight of each cell."""
    side = size // STRIDE
    y, x = (v.reshape(-1) for v in np.meshgrid((np.arange(side) + 0.5) * STRIDE, (np.arange(side) + 0.5) * STRIDE, indexing="ij"))
    owner, smallest = np.full(len(y), -1), np.full(len(y), 1e9)
    inside = [(x > b[0]) & (x < b[2]) & (y > b[1]) & (y < b[3]) for b in boxes]
    for b, c, m in zip(boxes, cls, inside):
        if c < 0:
            owner[m] = -2
    for n, (b, c, m) in enumerate(zip(boxes, cls, inside)):
        if c < 0:
            continue
        cx, cy, w, h = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]
        m = m & (abs(x - cx) < max(1.5 * STRIDE, REACH * w)) & (abs(y - cy) < max(1.5 * STRIDE, REACH * h))
        if not m.any():
            m = np.arange(len(y)) == ((x - cx) ** 2 + (y - cy) ** 2).argmin()
        m &= smallest > w * h
        smallest[m], owner[m] = w * h, n
    weight = (owner != -2).astype(np.float32)
    cells, truth = owner.copy(), np.zeros((len(y), 4), np.float32)
    for n in range(len(boxes)):
        m = owner == n
        if m.any():
            weight[m], cells[m], truth[m] = m.sum() ** -0.5, cls[n], boxes[n]
    return torch.from_numpy(cells), torch.from_numpy(truth), torch.from_numpy(weight)


# ---------------------------------------------------------------- the network and its loss


class Detector(nn.Module):
    def __init__(self, weights, classes, channels=192):
        super().__init__()
        self.body = torchvision.models.resnet34()
        self.body.load_state_dict(load_file(weights), strict=False)
        self.lateral4, self.lateral3 = nn.Conv2d(512, channels, 1), nn.Conv2d(256, channels, 1)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()) for _ in range(3))
        self.out = nn.Conv2d(channels, 4 + classes, 1)
        for m in [self.lateral4, self.lateral3, self.out] + [b[0] for b in self.blocks]:
            fan_in = m.weight[0].numel()
            nn.init.normal_(m.weight, std=0.01 if m is self.out else math.sqrt((1 if m.bias is not None else 2) / fan_in))
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        with torch.no_grad():
            self.out.bias[4:] = -math.log(99)
        b = self.body
        self.groups = [[b.conv1, b.bn1, b.layer1, b.layer2], [b.layer3, b.layer4], [self.lateral4, self.lateral3, self.blocks, self.out]]

    def forward(self, x, frozen):
        b = self.body
        with torch.set_grad_enabled(torch.is_grad_enabled() and frozen < 1):
            x = b.layer2(b.layer1(b.maxpool(b.relu(b.bn1(b.conv1(x))))))
        with torch.set_grad_enabled(torch.is_grad_enabled() and frozen < 2):
            fine = b.layer3(x)
            coarse = b.layer4(fine)
        x = F.relu(self.lateral3(fine) + F.interpolate(self.lateral4(coarse), scale_factor=2))
        for block in self.blocks:
            x = block(x)
        return self.out(x).flatten(2).transpose(1, 2)


def boxes_of(out, size):
    side = size // STRIDE
    at = (torch.arange(side) + 0.5) * STRIDE
    y, x = (v.reshape(-1) for v in torch.meshgrid(at, at, indexing="ij"))
    d = F.softplus(out[..., :4]) * size * REACH
    return torch.stack([x - d[..., 1], y - d[..., 0], x + d[..., 3], y + d[..., 2]], -1)


def loss_of(out, cells, truth, weight, size):
    own = cells >= 0
    mine, w = boxes_of(out, size)[own], weight[own]
    total = w.sum().clamp(min=1)
    with torch.no_grad():
        t = truth[own]
        side = (torch.minimum(mine[:, 2:], t[:, 2:]) - torch.maximum(mine[:, :2], t[:, :2])).clamp(min=0)
        common = side.prod(1)
        area = lambda b: (b[:, 2:] - b[:, :2]).prod(1)
        overlap = common / (area(mine) + area(t) - common)
    wanted = torch.zeros_like(out[..., 4:])
    wanted[own] = F.one_hot(cells[own], wanted.shape[-1]) * overlap[:, None]
    s = out[..., 4:]
    scores = ((wanted - s.sigmoid()).abs() ** 2 * F.binary_cross_entropy_with_logits(s, wanted, reduction="none") * weight[..., None]).sum()
    return (scores + 0.7 * (generalized_box_iou_loss(mine, truth[own], reduction="none") * w).sum()) / total


# ---------------------------------------------------------------- training, predicting


def factor(phase, batches, k):
    length = batches * phase["epochs"]
    top = length // phase["cut"]
    part = 1 - (k - top) / (length - top) if k > top else k / top
    return (1 + part * (phase["div"] - 1)) / phase["div"]


def train(net, data, recipe, seed):
    size, batch = data.size, int(recipe["batch"])
    order = torch.Generator().manual_seed(seed)
    for phase in recipe["phases"]:
        frozen = {"conv1": 0, "layer3": 1, "head": 2}[phase["from"]]
        for g, modules in enumerate(net.groups):
            for m in modules:
                m.train(g >= frozen)
                for p in m.parameters():
                    p.requires_grad_(g >= frozen)
        optimiser = torch.optim.Adam([{"params": [p for m in net.groups[g] for p in m.parameters()]} for g in range(frozen, 3)])
        k = 0
        for epoch in range(phase["epochs"]):
            loader = torch.utils.data.DataLoader(data, batch, shuffle=True, generator=order, num_workers=1, drop_last=len(data) % batch == 1)
            start, total = time.time(), 0
            for pictures, (cells, truth, weight) in loader:
                for g, group in zip(range(frozen, 3), optimiser.param_groups):
                    group["lr"] = phase["lr"][g] * factor(phase, len(loader), k)
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    out = net(pictures.contiguous(memory_format=torch.channels_last), frozen)
                loss = loss_of(out.float(), cells, truth, weight, size)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total, k = total + loss.item(), k + 1
            data.epoch += 1
            print(f"{phase['from']} {epoch}  {total / len(loader):.4f}  {time.time() - start:.0f} s", flush=True)


def predict(net, data, path):
    net.eval()
    size = data.size
    header = ["file_name", "category", "probability", "y1", "x1", "y2", "x2"]
    every, largest = open(path, "w"), open(path.replace(".tsv", ".largest.tsv"), "w")
    for f in (every, largest):
        print(*header, sep="\t", file=f)
    for i, (name, objects) in enumerate(data.rows):
        picture = data[i][0][None]
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            out = net(torch.cat([picture, picture.flip(3)]), 2)
        out, side = out.float(), size // STRIDE
        mirrored = out[1].reshape(side, side, -1).flip(1).reshape(side * side, -1)[:, [0, 3, 2, 1] + list(range(4, out.shape[2]))]
        mean = (out[0] + mirrored) / 2
        score, cls = mean[:, 4:].sigmoid().max(1)
        boxes = boxes_of(mean, size).clamp(0, size)
        keep = score >= 0.01
        score, cls, boxes = score[keep], cls[keep], boxes[keep]
        kept = batched_nms(boxes, score, cls, 0.6)[:100]
        w, h = objects[0][5], objects[0][6]
        rows = []
        for k in kept.tolist():
            x1, y1, x2, y2 = (boxes[k] * torch.tensor([w, h, w, h]) / size).tolist()
            share = float((boxes[k, 2] - boxes[k, 0]) * (boxes[k, 3] - boxes[k, 1])) / size**2
            row = [name, data.classes[cls[k]], "%.6f" % score[k]] + ["%.2f" % v for v in (y1, x1, max(y2 - 1, y1), max(x2 - 1, x1))]
            rows.append((float(score[k]) * share**LARGEST_POWER, row))
        for _, row in rows or [(0, [name] + ["-"] * 6)]:
            print(*row, sep="\t", file=every)
        print(*(max(rows)[1] if rows else [name] + ["-"] * 6), sep="\t", file=largest)


def main():
    recipe_path, weights, folder, anno, val, out = sys.argv[1:7]
    seed, threads = (int(sys.argv[i]) if len(sys.argv) > i else d for i, d in ((7, 0), (8, 2)))
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    recipe = read_recipe(recipe_path)
    held = set(open(val).read().split())
    by_name, classes = {}, set()
    for r in csv.DictReader(open(anno), delimiter="\t", quoting=csv.QUOTE_NONE):
        box = [int(r[k]) for k in ("y1", "x1", "y2", "x2")]
        by_name.setdefault(r["file_name"], []).append((*box, r["category"], int(r["width"]), int(r["height"]), int(r["ignore"])))
        classes.add(r["category"])
    classes = sorted(classes)
    size = int(recipe["size"])
    parts = [[(n, o) for n, o in by_name.items() if (n in held) == v and any(not q[7] for q in o)] for v in (False, True)]
    data, check = (Pictures(p, folder, size, a, classes, seed) for p, a in zip(parts, (recipe["augments"], [])))
    print(f"{len(data)} pictures to train on, {len(check)} to judge", flush=True)
    net = Detector(weights, len(classes)).to(memory_format=torch.channels_last)
    start = time.time()
    train(net, data, recipe, seed)
    print(f"trained in {time.time() - start:.0f} s", flush=True)
    predict(net, check, out)


if __name__ == "__main__":
    main()
