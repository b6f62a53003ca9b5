#!/usr/bin/env python3
"""Makes tests/golden/torch/LABEL-*.pth and LABEL.tsv: small files of torch.save, and what is in them.

usage: python tests/golden/torch_files.py LABEL

LABEL names the version of PyTorch that runs this (2.15, 1.12; 1.4 with Python 2.7, so this is written for both).
Rows of LABEL.tsv: file, tensor, dtype, shape ("2x3", "-" for a scalar), its elements as little-endian float32 in
hexadecimal ("-" when there are none; "?" when the dtype is none that weights have).
"""
import binascii
import collections
import os
import struct
import sys

import torch

label = sys.argv[1]
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch")
dtypes = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.bool: "BOOL",
}
floats = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
rows = []


def elements(t):
    if t.dtype not in floats:
        return "?"
    values = t.detach().to(torch.float32).contiguous().view(-1).tolist()
    return binascii.hexlify(struct.pack("<%df" % len(values), *values)).decode() or "-"


def save(name, content, tensors, **options):
    file = "%s-%s.pth" % (label, name)
    torch.save(content, os.path.join(here, file), **options)
    for key, t in tensors.items():
        shape = "x".join(str(n) for n in t.shape) or "-"
        rows.append("\t".join((file, key, dtypes[t.dtype], shape, elements(t))))


def views():
    base = torch.arange(60.0) * 0.1 - 1
    grid = base[:24].view(2, 3, 4)
    return collections.OrderedDict([
        ("all", base), ("grid", grid), ("transposed", grid.transpose(0, 2)), ("row", grid[1, 2]),
        ("column", grid[:, 1, 3]), ("stepped", base[3:50:7]), ("expanded", base[5:8].view(3, 1).expand(3, 4)),
        ("scalar", base[59]), ("none", base[:0].view(0, 4)), ("one", base[7:8].view(1, 1, 1)),
        ("nhwc", grid.reshape(1, 2, 3, 4).permute(0, 3, 1, 2)),
    ])


def kinds():
    base = torch.tensor([0.0, -0.0, 1.0, -1.5, 0.1, 65504.0, 6e-8, -3.1e-5, 1 / 3.0, 1e-3], dtype=torch.float64)
    content = collections.OrderedDict(
        (name.lower(), base.to(dtype) if dtype in floats else torch.arange(5).to(dtype)) for dtype, name in dtypes.items())
    content["f64.wide"] = torch.tensor([1e300, 1.0000000596046448, 3.4028236e38, -1e-310], dtype=torch.float64)
    content["f16.transposed"] = base.to(torch.float16).view(2, 5).t()
    return content


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.BatchNorm2d(3), torch.nn.Linear(3, 2))


def checkpoint(net):
    """What a training script keeps: the weights among other things."""
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    net(torch.ones(1, 2, 2, 4)).sum().backward()
    adam.step()
    return {"epoch": 70000, "arch": "resnet18", "best": torch.tensor(0.5), "optimizer": adam.state_dict(), "done": True,
            "note": None, "big": 1 << 70, "negative": -3, "state_dict": net.state_dict()}


modern = tuple(int(x) for x in torch.__version__.split(".")[:2]) >= (1, 6)
forms = [("", {}), ("legacy-", {"_use_new_zipfile_serialization": False})] if modern else [("", {})]
for form, options in forms:
    save(form + "views", views(), views(), **options)
    save(form + "kinds", kinds(), kinds(), **options)
    net = network()
    content = checkpoint(net)
    save(form + "checkpoint", content, net.state_dict(), **options)
    parallel = torch.nn.DataParallel(net)
    save(form + "parameters", collections.OrderedDict(parallel.named_parameters()), dict(parallel.named_parameters()), **options)
if modern:
    save("protocol4", {"model": views()}, views(), pickle_protocol=4)
with open(os.path.join(here, label + ".tsv"), "w") as out:
    out.write("\n".join(rows) + "\n")
