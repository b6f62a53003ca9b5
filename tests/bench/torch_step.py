# torch_step.py - the same steps as bench_step.c in PyTorch (eager, channels_last): the paired figure of `make bench`.
# usage: python3 torch_step.py [BATCH [STEPS [THREADS [bf16] [resnet50]]]]; needs torch and torchvision.
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
net = nn.Sequential(*children, head).to(memory_format=torch.channels_last)
frozen_prefix = {"train head": 8, "train top": 6, "train all": 0}
picture = torch.rand(batch, 3, 224, 224).to(memory_format=torch.channels_last)


def forward(frozen):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        x = picture
        if frozen:
            with torch.no_grad():
                x = net[:frozen](x)
        return net[frozen:](x).float()


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
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            net(picture)
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
