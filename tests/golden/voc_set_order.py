#!/usr/bin/env python3
"""Makes voc_set_order.tsv: the iteration order of sets of integers.

usage: python3 tests/golden/voc_set_order.py > tests/golden/voc_set_order.tsv

Columns: rule, name of the generator, count, SHA-256 of the ids in iteration order (decimal, one a line), the first
five. Rows "37" are what this interpreter really does (CPython 3.7 or later); rows "36" follow CPython 3.6's growth
rule in a plain model, which is checked against the interpreter with the later rule first.
"""
import hashlib
import sys


def model(ids, rule):
    """Objects/setobject.c: set_add_entry, set_table_resize, set_insert_clean."""
    table, mask, fill = [None] * 8, 7, 0

    def insert(table, mask, key):
        perturb = key
        i = key & mask
        while True:
            probes = 9 if i + 9 <= mask else 0
            for j in range(probes + 1):
                if table[i + j] is None:
                    table[i + j] = key
                    return
            perturb >>= 5
            i = (i * 5 + 1 + perturb) & mask

    for key in ids:
        insert(table, mask, key)
        fill += 1
        if (fill * 3 < mask * 2) if rule == 36 else (fill * 5 < mask * 3):
            continue
        want = fill * 2 if fill > 50000 else fill * 4
        size = 8
        while size <= want:
            size *= 2
        bigger = [None] * size
        for old in table:
            if old is not None:
                insert(bigger, size - 1, old)
        table, mask = bigger, size - 1
    return [k for k in table if k is not None]


def generator(bits, count):
    """Distinct pseudo-random ids of that many bits; the test has the same few lines in C."""
    x, seen, out = 12345, set(), []
    while len(out) < count:
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        k = x >> (64 - bits)
        if k not in seen:
            seen.add(k)
            out.append(k)
    return out


def main():
    assert sys.implementation.name == "cpython" and sys.version_info >= (3, 7)
    for bits, count in ((14, 5), (14, 6), (14, 100), (14, 2501), (32, 3000), (53, 20000), (17, 60000), (40, 140000)):
        for order in ("drawn", "ascending"):
            ids = generator(bits, count)
            if order == "ascending":
                ids.sort()
            real = list({k for k in ids})
            assert real == model(ids, 37)
            for rule, result in ((37, real), (36, model(ids, 36))):
                digest = hashlib.sha256("".join(f"{k}\n" for k in result).encode()).hexdigest()
                print(rule, f"{bits}-{order}", count, digest, *result[:5], sep="\t")


main()
