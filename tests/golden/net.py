#!/usr/bin/env python3
"""Makes tests/golden/net.txt: what PyTorch computes for small networks of each task, for tests/unit/test_network.c.

usage: python3 tests/golden/net.py [SHARED]     (torch, torchvision, opencv-python-headless 4.6.0.66, numpy < 2)

SHARED holds weights/resnet34-init.safetensors and data/voc2007; without it the lines of the real network are kept.
Everything is computed in double precision from float32 weights and pictures. Both are drawn from philox, here in
numpy and there in C, so that none of them is stored. Lines: CASE KIND NAME VALUES…, where a tensor x is kept as

    |x|, x.s, x[0], x[(n-1)/3], x[2(n-1)/3], x[n-1]      s: +-1 by the lowest bits of a philox stream

The seed is one at which no ReLU of the first step stands so near its kink that float32 falls on the other side:
there a gradient jumps, in PyTorch's own float32 as well.
Adam and dropout are written out here: eps stands beside the uncorrected root, masks come from philox.
"""
import os, sys
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from torchvision.models.resnet import BasicBlock, resnet34, resnet50
from objects import loss_of

torch.set_default_dtype(torch.float64)
torch.set_num_threads(2)
INIT, DROPOUT, DEMO = 1, 4, 5
SEED, SIGNS = 51, 21
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
LR = [3e-6, 1e-5, 3e-5]
CLASSES = 7
STEPS = 10


def philox(seed, stream, index):
    """Words of the blocks `index` (an array): Philox4x32-10."""
    c = [np.uint64(0)] * 4
    index = np.asarray(index, np.uint64)
    m = np.uint64(0xFFFFFFFF)
    c[0], c[1] = index & m, index >> np.uint64(32)
    c[2], c[3] = np.full_like(index, stream & 0xFFFFFFFF), np.full_like(index, stream >> 32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & m, (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & m]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, -1)


def words(seed, purpose, number, n):
    return philox(seed, purpose << 32 | number, np.arange((n + 3) // 4)).reshape(-1)[:n]


def uniform(seed, purpose, number, n):
    w = words(seed, purpose, number, 2 * n).reshape(-1, 2)
    return ((w[:, 0] >> np.uint64(5)).astype(np.float64) * 67108864.0 + (w[:, 1] >> np.uint64(6)).astype(np.float64)) / 9007199254740992.0


def pictures(n, size):
    """n pictures of blocks of 8 x 8 with some noise: float32 NHWC in [0,1)."""
    side = size // 8
    blocks = uniform(SEED, DEMO, 0, n * side * side * 3).reshape(n, side, side, 3).repeat(8, 1).repeat(8, 2)
    noise = uniform(SEED, DEMO, 1, n * size * size * 3).reshape(n, size, size, 3)
    return (0.8 * blocks + 0.2 * noise).astype(np.float32)


def targets(n, size):
    label = torch.tensor([(3 * i + 1) % CLASSES for i in range(n)])
    box = torch.tensor([[4 + 3 * i, 8 + 5 * i, size // 2 + 7 * i, size - 20 + 4 * i] for i in range(n)], dtype=torch.float64)
    return label, box


class ConcatPool(nn.Module):
    def forward(self, x):
        return torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)


class Dropout(nn.Module):
    """Node number `node` of our graph; the mask is a function of seed and step."""

    def __init__(self, p, node):
        super().__init__()
        self.p, self.node, self.step = np.float32(p), node, 0

    def forward(self, x):
        if not self.training:
            return x
        n = x.numel()
        index = (np.uint64(self.step << 32) | np.arange((n + 3) // 4, dtype=np.uint64))
        w = philox(SEED, DROPOUT << 32 | self.node, index).reshape(-1)[:n]
        keep = torch.from_numpy(w.astype(np.float64) / 4294967296.0 >= float(self.p)).reshape(x.shape)
        return x * keep / (1 - float(self.p))


class ObjectsHead(nn.Module):
    """Joins what layer3 and layer4 give to one map of cells."""

    def __init__(self, widths, channels):
        super().__init__()
        self.lateral4 = nn.Conv2d(widths[1], channels, 1)
        self.lateral3 = nn.Conv2d(widths[0], channels, 1)
        for i in range(3):
            parts = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
            self.add_module(f"block{i}", nn.ModuleDict({"conv": parts[0], "bn": parts[1]}))
        self.out = nn.Conv2d(channels, 4 + CLASSES, 1)

    def forward(self, layer3, layer4):
        x = F.relu(self.lateral3(layer3) + F.interpolate(self.lateral4(layer4), scale_factor=2))
        for block in (self.block0, self.block1, self.block2):
            x = F.relu(block["bn"](block["conv"](x)))
        return self.out(x).flatten(1)


class Network(nn.Module):
    """A backbone's children with torchvision's names, and `head`, whose first module is node `node` of our graph (the
    classifier's flatten has no node: its numbers are one lower)."""

    def __init__(self, backbone, task, features, area, node, size):
        super().__init__()
        self.task, self.size = task, size
        for name, child in backbone.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, child)
        if task == "cls":
            self.head = nn.Sequential(ConcatPool(), nn.Flatten(), nn.BatchNorm1d(2 * features), Dropout(0.25, node + 2),
                nn.Linear(2 * features, 512), nn.ReLU(), nn.BatchNorm1d(512), Dropout(0.5, node + 6), nn.Linear(512, CLASSES))
        elif task == "bbox":
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(features * area, 4))
        elif task == "objects":
            self.head = ObjectsHead([features // 2, features], features * 3 // 8)
        else:
            self.head = nn.Sequential(nn.Flatten(), nn.ReLU(), Dropout(0.5, node + 2), nn.Linear(features * area, 256),
                nn.ReLU(), nn.BatchNorm1d(256), Dropout(0.5, node + 6), nn.Linear(256, 4 + CLASSES))

    def forward(self, x):
        for name, child in self.named_children():
            before, x = x, child(before, x) if self.task == "objects" and name == "head" else child(x)
        return x

    def group(self, name):
        top = name.split(".")[0]
        return 2 if top == "head" else 1 if top in ("layer3", "layer4") else 0

    def mode(self, training, first, freeze_bn):
        """Frozen groups (and with freeze_bn the whole backbone's batch norms) stay in evaluation mode."""
        self.train(training)
        for name, m in self.named_modules():
            g = self.group(name) if name else 2
            if name and (g < first or (freeze_bn and g < 2 and isinstance(m, nn.BatchNorm2d))):
                m.eval() if not list(m.children()) else None
        for name, p in self.named_parameters():
            p.requires_grad_(self.group(name) >= first)

    def loss(self, out, label, box):
        if self.task == "bbox":
            return F.l1_loss(out, box)
        if self.task == "objects":
            objects = [[(int(c), *map(float, b))] for c, b in zip(label, box)]
            return loss_of(out.reshape(len(out), 4 + CLASSES, -1), objects, self.size)[0]
        if self.task == "cls":
            return F.nll_loss(F.log_softmax(out, 1), label)
        return F.l1_loss(self.size * torch.sigmoid(out[:, :4]), box) + 20 * F.cross_entropy(out[:, 4:], label)


class Maps(Network):
    """A head of maps on three ends of the backbone, for nodes that the tasks above lack."""

    def __init__(self, backbone):
        super().__init__(backbone, "maps", 128, 9, 0, 96)
        self.head = nn.ModuleDict({"fine": nn.Conv2d(32, 24, 1), "middle": nn.Conv2d(64, 24, 1), "coarse": nn.Conv2d(128, 24, 1),
            "conv": nn.Conv2d(24, 24, 3, 1, 1, bias=False), "bn": nn.BatchNorm2d(24), "out": nn.Conv2d(24, 6, 1)})

    def forward(self, x):
        ends = {}
        for name, child in list(self.named_children())[:-1]:
            x = ends[name] = child(x)
        x = self.head["coarse"](x)
        for end, name in (("layer3", "middle"), ("layer2", "fine")):
            x = F.interpolate(x, scale_factor=2, mode="nearest") + self.head[name](ends[end])
        return self.head["out"](F.relu(self.head["bn"](self.head["conv"](x)))).flatten(1)

    def loss(self, out, label, box):
        return 0.5 * (out * out).mean()


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [16, 32, 64, 128]
        self.conv1 = nn.Conv2d(3, 16, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(16, 16))
        for i in range(1, 4):
            down = nn.Sequential(nn.Conv2d(widths[i - 1], widths[i], 1, 2, bias=False), nn.BatchNorm2d(widths[i]))
            self.add_module(f"layer{i + 1}", nn.Sequential(BasicBlock(widths[i - 1], widths[i], 2, down)))


def tensors(net):
    """All parameters and running statistics in the order of our graph."""
    return [(k, v) for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")]


def fill(net, only=""):
    """Weights by philox: the rule of fill() in test_network.c."""
    kinds = dict(net.named_modules())
    for i, (name, t) in enumerate(tensors(net)):
        if not name.startswith(only):
            continue
        module, what = name.rsplit(".", 1)
        u = uniform(SEED, INIT, i, t.numel())
        if isinstance(kinds[module], (nn.BatchNorm2d, nn.BatchNorm1d)):
            low, high = (0.5, 1.5) if what in ("weight", "running_var") else (-0.2, 0.2)
        else:
            weight = kinds[module].weight
            fan_in = weight.numel() // weight.shape[0]
            high = np.sqrt((6.0 if weight.dim() == 4 else 1.0) / fan_in)
            low = -high
        t.copy_(torch.from_numpy((low + (high - low) * u).astype(np.float32).astype(np.float64)).reshape(t.shape))


out = []


def put(case, kind, name, values):
    out.append(f"{case} {kind} {name} " + " ".join(f"{float(v):.9g}" for v in values))


def put_outputs(case, kind, t):
    """All of them, or as a tensor where they are many."""
    if t.numel() <= 200:
        put(case, kind, "out", t.reshape(-1))
    else:
        put_tensor(case, kind, "out", 0, t)


def put_tensor(case, kind, name, number, t):
    x = t.detach().reshape(-1)
    n = len(x)
    s = 1.0 - 2.0 * (words(SIGNS, INIT, number, n) & np.uint64(1)).astype(np.float64)
    put(case, kind, name, [x.norm(), (x * torch.from_numpy(s)).sum()] + [x[k] for k in (0, (n - 1) // 3, 2 * (n - 1) // 3, n - 1)])


def normalised(pixels):
    x = (pixels.astype(np.float64) - MEAN.astype(np.float64)) / STD.astype(np.float64)
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())


def set_step(net, step):
    for m in net.modules():
        if isinstance(m, Dropout):
            m.step = step


def train_case(case, task, first, freeze_bn=False, dtype=torch.float64, batch=11, size=96):
    with torch.no_grad():
        net = Maps(Tiny()) if task == "maps" else Network(Tiny(), task, 128, 9, 39, size)
        fill(net)
    net.to(dtype)
    x = normalised(pictures(batch, size)).to(dtype)
    label, box = targets(batch, size)
    box = box.to(dtype)
    numbers = {name: i for i, (name, _) in enumerate(tensors(net))}
    net.mode(False, first, freeze_bn)
    with torch.no_grad():
        put_outputs(case, "eval", net(x))
    net.mode(True, first, freeze_bn)
    params = [(k, p) for k, p in net.named_parameters() if p.requires_grad]
    moments = {k: [torch.zeros_like(p), torch.zeros_like(p)] for k, p in params}
    curve = []
    for step in range(STEPS):
        set_step(net, step)
        net.zero_grad()
        o = net(x)
        loss = net.loss(o, label, box)
        loss.backward()
        curve.append(loss.item())
        if step == 0:
            put_outputs(case, "train", o)
            for k, p in params:
                put_tensor(case, "grad", k, numbers[k], p.grad)
            for k, t in tensors(net):
                if "running" in k:
                    put_tensor(case, "stat", k, numbers[k], t)
        t = step + 1
        with torch.no_grad():
            for k, p in params:
                m, v = moments[k]
                m.mul_(0.9).add_(p.grad * 0.1)
                v.mul_(0.999).add_(p.grad * p.grad * 0.001)
                p -= LR[net.group(k)] * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v.sqrt() + 1e-8)
    put(case, "curve", "loss", curve)
    for k, t in tensors(net):
        put_tensor(case, "final", k, numbers[k], t)
    net.mode(False, first, freeze_bn)
    with torch.no_grad():
        put_outputs(case, "after", net(x))


def forward_case():
    with torch.no_grad():
        net = Network(resnet50(), "cls", 2048, 4, 0, 64)
        fill(net)
        net.eval()
        put("resnet50", "eval", "out", net(normalised(pictures(2, 64))).reshape(-1))


def real_case(shared):
    import cv2
    from safetensors.torch import load_file

    def picture(name):
        p = cv2.cvtColor(cv2.imread(f"{shared}/data/voc2007/JPEGImages/{name}", 5).astype(np.float32) / 255, cv2.COLOR_BGR2RGB)
        h, w = p.shape[:2]
        r = 224 / min(h, w)
        p = cv2.resize(p, (max(int(w * r), 224), max(int(h * r), 224)), interpolation=cv2.INTER_AREA)
        p = np.rint(p * np.float32(255)).clip(0, 255).astype(np.uint8).astype(np.float32) / np.float32(255)
        return cv2.resize(p, (224, 224), interpolation=cv2.INTER_AREA)

    with torch.no_grad():
        net = Network(resnet34(), "cls", 512, 49, 0, 224)
        fill(net, "head.")
        weights = load_file(f"{shared}/weights/resnet34-init.safetensors")
        net.load_state_dict({k: v.double() for k, v in weights.items() if not k.startswith("fc.")}, strict=False)
        net.eval()
        put("synthetic", "eval", "out", net(normalised(pictures(2, 224))).reshape(-1))
        for name in ("000012.jpg", "000017.jpg"):
            p = picture(name)
            put("real", "pixels", name, [p.astype(np.float64).sum(), p[0, 0, 0], p[111, 57, 1], p[223, 223, 2]])
            put("real", "eval", name, net(normalised(p[None])).reshape(-1))


if __name__ == "__main__":
    dtype = torch.float32 if "float32" in sys.argv else torch.float64
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "net.txt")
    train_case("cls", "cls", 0, dtype=dtype)
    train_case("bbox", "bbox", 0, dtype=dtype)
    train_case("detn", "detn", 0, dtype=dtype)
    train_case("cls-top", "cls", 1, dtype=dtype)
    train_case("detn-head", "detn", 2, dtype=dtype)
    train_case("cls-stored", "cls", 0, True, dtype=dtype)
    train_case("maps", "maps", 0, dtype=dtype)
    train_case("maps-head", "maps", 2, dtype=dtype)
    train_case("objects", "objects", 0, dtype=dtype)
    train_case("objects-top", "objects", 1, dtype=dtype)
    forward_case()
    if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]):
        real_case(sys.argv[1])
    elif os.path.exists(path):
        out += [l.rstrip("\n") for l in open(path) if l.split()[0] in ("synthetic", "real")]
    if "float32" in sys.argv:
        path = "/tmp/net32.txt"
    open(path, "w").write("\n".join(out) + "\n")
    print(path, len(out), "lines")
