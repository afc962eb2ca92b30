"""Decode the pixels in pages, written from the description of their format and in no hurry."""

from __future__ import annotations

import json
import re
import zlib
from functools import cache
from typing import Any

import numpy as np

_LETTERS = {letter: i for i, letter in enumerate(c for c in map(chr, range(33, 127)) if c not in '"\\<')}


def data_of(page: str) -> dict[str, Any]:
    """The data for the script of a page, with the texts that stand in elements of their own."""
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])
    texts = dict(re.findall(r'<script type="text/plain" id="([^"]*)">(.*?)</script>', page, re.S))
    source = data["input"]
    for holder in (*data["layers"], *source.get("places", [source])):
        holder["packed"]["text"] = texts[holder["packed"]["element"]]
    return data | {"input": source | {"preview": texts.get("preview")}}


def bytes_of(text: str) -> bytes:
    """What pairs of letters stand for, 13 bits each, and 6 bits of a last letter."""
    pairs = zip(text[::2], text[1::2], strict=False)
    bits = "".join(f"{_LETTERS[one] * 91 + _LETTERS[other]:013b}" for one, other in pairs)
    if len(text) % 2:
        bits += f"{_LETTERS[text[-1]]:06b}"
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))


def _plane(width: int, height: int, tiles: bytes, streams: list, around: np.ndarray) -> np.ndarray:
    plane = np.zeros((height + 1, width + 2), int)
    sizes = np.zeros((height + 1, width + 2), int)
    columns = -(-width // 32)
    for y in range(1, height + 1):
        plane[y, 0] = plane[y - 1, 1]
        for x in range(1, width + 1):
            near = (y, x - 1), (y - 1, x), (y - 1, x - 1), (y - 1, x + 1)
            left, above, corner, right = (int(plane[at]) for at in near)
            activity = 2 * sum(sizes[at] for at in near) + 3 * around[y - 1, x - 1]
            error = next(streams[sum(activity > limit for limit in (6, 24, 80))])
            gradient = min(max(left + above - corner, min(left, above)), max(left, above))
            predictions = (
                0,
                (left + above) // 2,
                gradient,
                (left + 2 * above + right) // 4,
                (left + above + corner + right) // 4,
            )
            plane[y, x] = (predictions[tiles[(y - 1) // 32 * columns + (x - 1) // 32]] + error) % 256
            sizes[y, x] = min(error, 256 - error)
        plane[y, width + 1] = plane[y, width]
    around += sizes[1:, 1:-1]
    return plane[1:, 1:-1]


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    """The pixels (H, W, C), whose checksum must be right."""
    width, height = packed["size"]
    data = zlib.decompressobj(-15).decompress(bytes_of(packed["text"]))
    ends = np.cumsum(packed["counts"])
    assert ends[-1] == len(data)
    parts = iter([data[end - count : end] for end, count in zip(ends, packed["counts"], strict=True)])
    around = np.zeros((height, width), int)
    planes = []
    for _ in range(packed["channels"]):
        tiles = next(parts)
        planes.append(_plane(width, height, tiles, [iter(next(parts)) for _ in range(4)], around))
    if packed["mixed"]:
        green, red, blue, *alpha = planes
        planes = [(red + green) % 256, green, (blue + green) % 256, *alpha]
    pixels = np.stack(planes, axis=-1).astype(np.uint8)
    assert zlib.crc32(pixels.tobytes()) == packed["crc"]
    return pixels


def outputs_of(page: str) -> dict[str, np.ndarray]:
    """The outputs in a page by their keys, summed up from their differences."""
    layers = data_of(page)["layers"]

    @cache
    def pixels(index: int) -> np.ndarray:
        base = layers[index].get("from")
        own = unpacked(layers[index]["packed"])
        return own if base is None else own + pixels(base)

    return {layer["key"]: pixels(index) for index, layer in enumerate(layers)}
