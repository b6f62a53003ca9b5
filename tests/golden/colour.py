#!/usr/bin/env python3
"""Makes tests/golden/image/colour.bin: what torchvision's adjust_saturation and adjust_hue make of a small picture.

usage: python3 tests/golden/colour.py     (torchvision, numpy)

Records as in arrays.bin (image.py), named "SATURATION HUE"; the picture is noise whose first row has greys and pure
colours, as tests/unit/test_augment.c makes it too.
"""
import os, struct
import numpy as np, torch
from torchvision.transforms.functional import adjust_hue, adjust_saturation

HEIGHT, WIDTH = 7, 9
s, values = 3, []
for _ in range(HEIGHT * WIDTH * 3):
    s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
    values.append(s >> 24)
picture = np.array(values, np.uint8).reshape(HEIGHT, WIDTH, 3)
picture[0] = [(0, 0, 0), (255, 255, 255), (77, 77, 77), (255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 200, 10),
              (10, 200, 200), (200, 10, 200)]
start = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "image", "colour.bin"), "wb") as f:
    for saturation, hue in [(0, 0), (0.6, 0), (1.4, 0), (2, 0), (1, 0.05), (1, -0.2), (1, 0.5), (0.7, 0.1)]:
        a = adjust_hue(adjust_saturation(start, saturation), hue) if hue else adjust_saturation(start, saturation)
        a = np.ascontiguousarray(a.permute(1, 2, 0).numpy())
        f.write(struct.pack("<32sII4I", f"{saturation} {hue}".encode(), 4, 3, *a.shape, 1) + a.tobytes())
