#!/usr/bin/env python3
"""Makes tests/golden/image/: what OpenCV 4.6.0.66 makes of small pictures, for the tests of common/image.

usage: python3 tests/golden/image.py [VOC]     (opencv-python-headless 4.6.0.66, numpy < 2, pillow)

arrays.bin   records: name (NUL-padded to 32 bytes), u32 kind (1: uint8, 2: uint16, 4: float32), u32 dimensions,
             u32 shape[4], then the values; little-endian
masks.txt    h w degrees y1 x1 y2 x2 | SHA-256 of the mask rotated | its box
boxes.txt    h w raw box | flip taken, rotation taken, degrees | the training label | the validation label
real.txt     of one real picture, when VOC (a folder with JPEGImages) is given: name, SHA-256 of the cached pixels and
             sums of samples; kept as it is without VOC
*.jpg *.png  inputs; arrays.bin holds what imread makes of them under the file's name
"""
import hashlib, io, math, os, struct, sys, zlib
import cv2, numpy as np
from PIL import Image

assert cv2.__version__.startswith("4.6."), cv2.__version__
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "image")
os.makedirs(out, exist_ok=True)
arrays = open(os.path.join(out, "arrays.bin"), "wb")


def put(name, a):
    a = np.ascontiguousarray(a)
    kind = {"uint8": 1, "uint16": 2, "float32": 4}[a.dtype.name]
    shape = list(a.shape) + [1] * (4 - a.ndim)
    arrays.write(struct.pack("<32sII4I", name.encode(), kind, a.ndim, *shape) + a.tobytes())


def noise(h, w, seed=1):
    """The picture the C tests make too: the high bytes of a linear congruential generator, smoothed by thirds."""
    s, v = seed, np.empty(h * w * 3, np.uint8)
    for i in range(v.size):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        v[i] = s >> 24
    return v.reshape(h, w, 3)


def f32(a):
    return a.astype(np.float32) / 255


# ---- resampling
for h, w, dh, dw in [(33, 50, 22, 33), (50, 33, 33, 22), (40, 60, 20, 30), (36, 48, 12, 16), (22, 33, 22, 22),
                     (33, 22, 22, 22), (17, 23, 17, 23), (100, 70, 7, 5), (64, 31, 63, 30), (10, 15, 22, 33),
                     (7, 9, 28, 36), (13, 17, 32, 41), (1, 1, 4, 4), (1, 9, 8, 72)]:
    put(f"area {h}x{w} {dh}x{dw}", cv2.resize(f32(noise(h, w)), (dw, dh), interpolation=cv2.INTER_AREA))
for h, w, dh, dw in [(333, 500, 224, 336), (375, 500, 224, 298), (224, 336, 224, 224), (150, 200, 224, 298)]:
    a = cv2.resize(f32(noise(h, w)), (dw, dh), interpolation=cv2.INTER_AREA)
    put(f"some {h}x{w} {dh}x{dw}", a[::31, ::17])
    b = np.rint(a * np.float32(255)).astype(np.uint8)
    put(f"sha {h}x{w} {dh}x{dw}", np.frombuffer(hashlib.sha256(b.tobytes()).digest(), np.uint8))
for s, d in [(500, 336), (333, 224), (375, 224), (364, 224), (480, 295), (335, 224), (281, 224), (336, 224), (398, 224),
             (100, 224), (224, 224), (7, 5), (3, 1)]:
    put(f"nearest {s} {d}", cv2.resize(np.arange(s, dtype=np.uint16)[None], (d, 1), interpolation=cv2.INTER_NEAREST)[0])

# ---- rotation
def rotate(a, deg, border, nearest=False):
    h, w = a.shape[:2]
    m = cv2.getRotationMatrix2D((w // 2, h // 2), deg, 1)
    flag = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA
    return cv2.warpAffine(a, m, (w, h), borderMode=border, flags=cv2.WARP_FILL_OUTLIERS + flag)


for h, w, deg in [(24, 36, 3.0), (36, 24, -2.5), (25, 31, 30.0), (25, 31, -0.3), (9, 40, 17.77), (24, 36, 0.0)]:
    put(f"warp {h}x{w} {deg}", rotate(f32(noise(h, w)), deg, cv2.BORDER_REFLECT))
for deg in (2.2, -9.9):
    put(f"warpsome 224x336 {deg}", rotate(f32(noise(224, 336)), deg, cv2.BORDER_REFLECT)[::23, ::19])

rng = np.random.RandomState(7)


def bounding(mask):
    r = np.nonzero(mask)
    return (0, 0, 0, 0) if len(r[0]) == 0 else (r[0].min(), r[1].min(), r[0].max(), r[1].max())


def draw(b, h, w):
    m = np.zeros((h, w), np.float32)
    b = [int(v) for v in b]
    m[b[0]:b[2], b[1]:b[3]] = 1
    return m


def random_box(h, w):
    y, x = sorted(rng.randint(0, h, 2)), sorted(rng.randint(0, w, 2))
    if rng.rand() < .2:
        y[0] = 0
    if rng.rand() < .2:
        x[1] = w - 1
    return y[0], x[0], y[1], x[1]


with open(os.path.join(out, "masks.txt"), "w") as f:
    for i in range(60):
        h, w = [(224, 336), (298, 224), (224, 398), (31, 47)][i % 4]
        deg = round(rng.uniform(-30, 30) if i % 3 else rng.uniform(-3, 3), 6)
        b = random_box(h, w)
        m = rotate(draw(b, h, w), deg, cv2.BORDER_CONSTANT, True)
        f.write(" ".join(map(str, (h, w, deg) + b + (hashlib.sha256((m > 0).astype(np.uint8).tobytes()).hexdigest(),)
                             + tuple(bounding(m)))) + "\n")

sizes = [(333, 500), (500, 375), (375, 500), (364, 480), (500, 334), (281, 500), (100, 150), (224, 224), (500, 112),
         (333, 499), (1200, 1600)]


def stage(b, h, w, change):
    return bounding(change(draw(b, h, w)))


def label(b, h, w, train, flip=False, deg=None):
    ratio = 224 / min(h, w)
    sh, sw = max(math.floor(h * ratio), 224), max(math.floor(w * ratio), 224)
    b = stage(b, h, w, lambda m: cv2.resize(m, (sw, sh), interpolation=cv2.INTER_NEAREST))
    if train:
        b = stage(b, sh, sw, lambda m: np.fliplr(m) if flip else m)
        b = stage(b, sh, sw, lambda m: m if deg is None else rotate(m, deg, cv2.BORDER_CONSTANT, True))
    return stage(b, sh, sw, lambda m: cv2.resize(m, (224, 224), interpolation=cv2.INTER_NEAREST))


with open(os.path.join(out, "boxes.txt"), "w") as f:
    for i in range(300):
        h, w = sizes[i % len(sizes)]
        b = random_box(h, w)
        if i % 17 == 0:
            b = (b[0], b[1], b[0] + 1, min(b[1] + 2, w - 1))  # thin: may vanish
        flip, rot, deg = rng.randint(2), rng.randint(2), round(rng.uniform(-3, 3) if i % 3 else rng.uniform(-30, 30), 6)
        row = (h, w) + b + (flip, rot, deg) + tuple(label(b, h, w, True, flip, deg if rot else None))
        f.write(" ".join(map(str, row + tuple(label(b, h, w, False)))) + "\n")

# ---- lighting
for n, (b, c) in enumerate([(0.05, 1.05), (-0.05, 1 / 1.05), (0.1, 1.1), (0.03, 1.0)]):
    im = f32(noise(20, 31, n + 1))
    mu = np.average(im)
    put(f"lighting {n}", np.clip((im - mu) * c + mu + b, 0., 1.).astype(np.float32))

# ---- decoding
photo = cv2.GaussianBlur(cv2.resize(noise(8, 11, 5), (33, 22), interpolation=cv2.INTER_CUBIC), (3, 3), 0)
colour = Image.fromarray(photo)


def keep(name, data, expected=None):
    open(os.path.join(out, name), "wb").write(data)
    if expected is None:
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), 5)[:, :, ::-1]
    put(name, expected)


def saved(im, kind, **options):
    f = io.BytesIO()
    im.save(f, kind, **options)
    return f.getvalue()


keep("grey.jpg", saved(colour.convert("L"), "JPEG", quality=90))
for name, sub in (("444", 0), ("422", 1), ("420", 2)):
    keep(f"{name}.jpg", saved(colour, "JPEG", quality=85, subsampling=sub))
keep("progressive.jpg", saved(colour, "JPEG", quality=85, progressive=True, subsampling=2))
keep("optimized.jpg", saved(colour, "JPEG", quality=50, optimize=True, restart_marker_blocks=2))
cmyk = colour.convert("CMYK")
inks = np.array(cmyk)
inks[:, :, 3] = np.arange(33, dtype=np.uint8) * 5
cmyk = Image.fromarray(inks, "CMYK")
adobe = saved(cmyk, "JPEG", quality=95, subsampling=0)
keep("cmyk.jpg", adobe)
at = adobe.index(b"Adobe")
keep("ycck.jpg", adobe[:at + 11] + b"\2" + adobe[at + 12:])
plain = adobe[:at - 4] + adobe[at + 12:]  # without the marker inks are not inverted
light = np.array(Image.open(io.BytesIO(plain))).astype(int)  # pillow takes them for inverted
k = light[:, :, 3:]
keep("cmyk-plain.jpg", plain, (k - ((255 - light[:, :, :3]) * k >> 8)).astype(np.uint8))
for n in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = n
    keep(f"exif{n}.jpg", saved(colour, "JPEG", quality=90, exif=exif))
exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
big = saved(colour, "JPEG", quality=90, exif=exif)
keep("exif-big.jpg", big)

keep("rgb.png", saved(colour, "PNG"))
keep("grey.png", saved(colour.convert("L"), "PNG"))
keep("bilevel.png", saved(colour.convert("1"), "PNG"))
keep("palette.png", saved(colour.quantize(16), "PNG", transparency=3))
alpha = colour.copy()
alpha.putalpha(Image.fromarray((np.arange(22 * 33) % 256).astype(np.uint8).reshape(22, 33)))
keep("rgba.png", saved(alpha, "PNG"))
keep("greyalpha.png", saved(alpha.convert("LA"), "PNG"))
deep = (photo.astype(np.uint16) << 8 | noise(22, 33, 9)).astype(np.uint16)
keep("deep.png", cv2.imencode(".png", deep)[1].tobytes())
keep("deepgrey.png", cv2.imencode(".png", deep[:, :, 0])[1].tobytes())
exif = Image.Exif()
exif[0x0112] = 8
keep("exif8.png", saved(colour, "PNG", exif=exif))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
lines = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes for row in photo[y::dy, x::dx] if row.size)
keep("interlaced.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 33, 22, 8, 2, 0, 0, 1))
     + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))

# ---- one real picture
if len(sys.argv) > 1:
    name = "000012.jpg"
    im = f32(cv2.imread(os.path.join(sys.argv[1], "JPEGImages", name), 5)[:, :, ::-1])
    small = np.rint(cv2.resize(im, (336, 224), interpolation=cv2.INTER_AREA) * np.float32(255)).astype(np.uint8)
    im = f32(small)
    val = cv2.resize(im, (224, 224), interpolation=cv2.INTER_AREA)
    t = rotate(np.fliplr(im).copy(), 2.5, cv2.BORDER_REFLECT)
    mu = np.average(t)
    t = np.clip((t - mu) * 1.03 + mu + .02, 0., 1.).astype(np.float32)
    t = cv2.resize(t, (224, 224), interpolation=cv2.INTER_AREA)
    with open(os.path.join(out, "real.txt"), "w") as f:
        f.write(f"{name} {hashlib.sha256(small.tobytes()).hexdigest()}\n")
        for y, x in [(0, 0), (10, 200), (111, 57), (150, 150), (223, 223), (223, 0), (100, 30)]:
            f.write(" ".join([str(y), str(x)] + [f"{v:.8f}" for v in list(val[y, x]) + list(t[y, x])]) + "\n")
