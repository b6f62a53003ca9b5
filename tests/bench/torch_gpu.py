# torch_gpu.py - the steps of bench_step.c on a GPU in PyTorch (eager, channels_last, fused Adam, pictures uploaded
# from pinned memory in every step): the paired figures of `make gpu-check`.
# usage: python3 torch_gpu.py BATCH STEPS fp32|tf32|bf16|fp16; prints "phase<tab>images per second" lines.
import sys
import time

import torch
import torch.nn as nn
import torchvision

batch, steps, precision = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "fp32"
torch.backends.cudnn.benchmark = True
half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
torch.manual_seed(0)

children = list(torchvision.models.resnet34().children())[:8]
head = nn.Sequential(
    nn.Flatten(), nn.ReLU(), nn.Dropout(0.5), nn.Linear(25088, 256), nn.ReLU(), nn.BatchNorm1d(256), nn.Dropout(0.5), nn.Linear(256, 24)
)
net = nn.Sequential(*children, head).to("cuda", memory_format=torch.channels_last)
pictures = torch.rand(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last).pin_memory()


def forward(frozen):
    x = pictures.to("cuda", non_blocking=True)
    with torch.autocast("cuda", dtype=half or torch.float16, enabled=half is not None):
        if frozen:
            with torch.no_grad():
                x = net[:frozen](x)
        return net[frozen:](x).float()


def rate(step):
    for i in range(3 + steps):
        if i == 3:
            torch.cuda.synchronize()
            start = time.perf_counter()
        step()
    torch.cuda.synchronize()
    return batch * steps / (time.perf_counter() - start)


net.eval()
with torch.no_grad():
    print(f"evaluate\t{rate(lambda: forward(0).cpu()):.0f}", flush=True)
for name, frozen in {"train head": 8, "train top": 6, "train all": 0}.items():
    for i, module in enumerate(net):
        module.train(i >= frozen)
        for p in module.parameters():
            p.requires_grad_(i >= frozen)
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-6, fused=True)
    scaler = torch.amp.GradScaler("cuda", enabled=precision == "fp16")

    def step():
        optimiser.zero_grad()
        y = forward(frozen)
        y.detach().cpu()
        scaler.scale(y.sum() * 1e-3).backward()
        scaler.step(optimiser)
        scaler.update()

    print(f"{name}\t{rate(step):.0f}", flush=True)
