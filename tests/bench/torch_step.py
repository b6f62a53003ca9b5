# torch_step.py - the same steps as bench_step.c in PyTorch (eager, channels_last): the paired figure of `make bench`.
# usage: python3 torch_step.py [BATCH [STEPS [THREADS [bf16] [resnet50] [objects]]]]; needs torch and torchvision.
# objects: the head of train-objects on layer3 and layer4, pictures of 320 pixels.
import statistics
import sys
import time

import torch
import torch.nn as nn
import torchvision

batch = int(sys.argv[1]) if len(sys.argv) > 1 else 64
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 5
threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
bf16 = "bf16" in sys.argv
torch.set_num_threads(threads)
torch.manual_seed(0)

resnet50 = "resnet50" in sys.argv
objects = "objects" in sys.argv
size = 320 if objects else 224


class Objects(nn.Module):
    def __init__(self, layer3, layer4, width):
        super().__init__()
        self.lateral3, self.lateral4 = nn.Conv2d(layer3, width, 1), nn.Conv2d(layer4, width, 1)
        blocks = [(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()) for _ in range(3)]
        self.blocks = nn.Sequential(*(m for block in blocks for m in block), nn.Conv2d(width, 24, 1), nn.Flatten())

    def forward(self, layer3, layer4):
        up = nn.functional.interpolate(self.lateral4(layer4), scale_factor=2, mode="nearest")
        return self.blocks(nn.functional.relu(self.lateral3(layer3) + up))


children = list((torchvision.models.resnet50 if resnet50 else torchvision.models.resnet34)().children())[:8]
head = nn.Sequential(
    nn.Flatten(),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear((2048 if resnet50 else 512) * 7 * 7, 256),
    nn.ReLU(),
    nn.BatchNorm1d(256),
    nn.Dropout(0.5),
    nn.Linear(256, 24),
)
if objects:
    head = Objects(1024 if resnet50 else 256, 2048 if resnet50 else 512, 192)
net = nn.Sequential(*children, head).to(memory_format=torch.channels_last)
frozen_prefix = {"train head": 8, "train top": 6, "train all": 0}
picture = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)


def forward(frozen):
    values = [picture]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        for i, module in enumerate(net):
            with torch.set_grad_enabled(torch.is_grad_enabled() and i >= frozen):
                values.append(module(*values[-2:]) if objects and module is head else module(values[-1]))
    return values[-1].float()


def report(name, rows):
    f, w, a = (statistics.median(r[i] for r in rows) for i in range(3))
    print(f"{name:<11} {1e3 * f:8.1f} {1e3 * w:8.1f} {1e3 * a:8.1f} {batch / (f + w + a):8.2f}", flush=True)


print(f"PyTorch {torch.__version__}, {threads} threads, channels_last, {'bf16 autocast' if bf16 else 'fp32'}, batch {batch}")
print(f"phase        forward backward     adam    img/s   (ms a batch, medians of {steps})")
net.eval()
rows = []
with torch.no_grad():
    for i in range(steps + 1):
        t = time.perf_counter()
        forward(0)
        rows.append((time.perf_counter() - t, 0, 0))
report("evaluate", rows[1:])
for name, frozen in frozen_prefix.items():
    for i, module in enumerate(net):
        module.train(i >= frozen)
        for p in module.parameters():
            p.requires_grad_(i >= frozen)
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-6)
    rows = []
    for i in range(steps + 1):
        t0 = time.perf_counter()
        optimiser.zero_grad()
        y = forward(frozen)
        t1 = time.perf_counter()
        (y.sum() * 1e-3).backward()
        t2 = time.perf_counter()
        optimiser.step()
        rows.append((t1 - t0, t2 - t1, time.perf_counter() - t2))
    report(name, rows[1:])
