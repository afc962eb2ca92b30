"""The section about encoding PNGs: time and size, compared with Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

import dpid_cli
from dpid_cli.pictures import FORMATS, Picture, write
from dpid_cli.pictures.picture import Palette

from .library import enlarged
from .markdown import Facts, Section, milliseconds, number, table
from .measure import Plan, time_calls

PNG = FORMATS["png"]
SAMPLES = Path(__file__).parents[2] / "samples"
OURS, PILLOW = "dpid", "Pillow"
TIME, SIZE = "time of encoding", "size"


class Case(NamedTuple):
    """Pixels to encode, and the palette of indices."""

    pixels: np.ndarray
    palette: Palette | None = None


def sample(name: str, mode: str = "RGB") -> np.ndarray:
    """The pixels of a sample."""
    with Image.open(SAMPLES / name) as image:
        return np.asarray(image.convert(mode))


def cases() -> dict[str, Case]:
    """Kinds of images: photos as `dpid` writes them, and what has other statistics."""
    stars, cat, rocket = sample("hubble_deep_field.jpg"), sample("chelsea.png"), sample("rocket.jpg")
    text = np.tile(sample("page.png", "L"), (4, 3))
    y, x = np.mgrid[:1000, :1500]
    slope = np.stack([x / 1500, y / 1000, (x + y) / 2500], axis=-1)
    rings = (np.hypot(x - 700, y - 500) % 40 < 2).astype(np.uint8) * 255
    indices = Image.fromarray(cat).quantize(200, dither=Image.Dither.NONE)
    palette = Palette(np.array(indices.getpalette("RGB"), np.uint8).reshape(-1, 3))
    deep = dpid_cli.downscale(stars / np.float32(255), scale=2)
    return {
        "photo with noise, RGB": Case(dpid_cli.downscale(enlarged((4000, 3000)), scale=4)),
        "stars, RGB": Case(stars),
        "stars at 1/2, RGB": Case(dpid_cli.downscale(stars, scale=2)),
        "cat, RGB": Case(cat),
        "rocket at 1/2, RGB": Case(dpid_cli.downscale(rocket, scale=2)),
        "cat, RGBA": Case(np.dstack([cat, np.minimum(2 * cat[..., 0], 255)])),
        "cameraman, gray": Case(sample("camera.png", "L")),
        "text, gray": Case(text),
        "rings, gray": Case(rings),
        "rings at 1/2, gray": Case(dpid_cli.downscale(rings, scale=2)),
        "slopes, RGB": Case((slope * 255 + 0.5).astype(np.uint8)),
        "noise, RGB": Case(np.random.default_rng(0).integers(0, 256, (700, 1000, 3)).astype(np.uint8)),
        "stars at 1/2, RGB 16": Case((deep * 65535 + 0.5).astype(np.uint16)),
        "slopes, RGB 16": Case((slope * 65535 + 0.5).astype(np.uint16)),
        "cat, palette": Case(np.asarray(indices), palette),
    }


def by_dpid(case: Case, level: int) -> bytes:
    """The file that `dpid` writes."""
    stream = io.BytesIO()
    alpha = case.pixels.ndim == 3 and case.pixels.shape[2] in (2, 4)
    picture = Picture(case.pixels, alpha, None, palette=case.palette)
    write(picture, stream, PNG.tuned({"effort": level}), "image")
    return stream.getvalue()


def by_pillow(case: Case, level: int) -> bytes:
    """The file that Pillow writes, or with 16 bits, which it lacks, libpng."""
    if case.pixels.itemsize == 2:
        return bytes(imagecodecs.png_encode(case.pixels, level=level))
    image = Image.fromarray(case.pixels)
    if case.palette is not None:
        image.putpalette(case.palette.colours.tobytes())
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=level)
    return stream.getvalue()


def encoding(plan: Plan) -> Section:
    """Every kind of image at the default level; all of them at some other levels."""
    chosen, default = cases(), PNG.options["effort"]
    rows, facts = _compared(chosen, default, plan.rounds(9))
    header = ["image", "dpid ms", "Pillow ms", "times faster", "dpid kB", "Pillow kB", "ratio of sizes"]
    totals = [[f"level {default}, all", *rows.pop()[1:]]]
    for level in plan.choose((0, 1, 6, 9), (1,)):
        others, _ = _compared(chosen, level, plan.rounds(3))
        totals.append([f"level {level}, all", *others[-1][1:]])
    text = (
        f"From memory to memory, with one thread, at level {default}, the default of `dpid`, in both. Pillow "
        "lacks 16 bits of RGB: libpng writes these."
    )
    body = f"{text}\n\n{table(header, rows)}\n\nSums over all images, by level:\n\n{table(header, totals)}"
    return Section("PNG", body, facts)


def _compared(chosen: dict[str, Case], level: int, rounds: int) -> tuple[list[list[str]], Facts]:
    """A row for each image, and one for their sums; and the facts of all of them together."""
    rows: list[list[str]] = []
    facts: Facts = {(what, name): 0.0 for what in (TIME, SIZE) for name in (OURS, PILLOW)}
    for name, case in chosen.items():
        calls: dict[str, Callable[[], bytes] | None] = {
            OURS: partial(by_dpid, case, level),
            PILLOW: partial(by_pillow, case, level),
        }
        results = time_calls(calls, rounds)
        ours, pillow = results[OURS], results[PILLOW]
        assert ours is not None and pillow is not None
        sizes = len(by_dpid(case, level)), len(by_pillow(case, level))
        faster = pillow.median / ours.median
        rows.append([name, milliseconds(ours), milliseconds(pillow), number(faster), *_sizes(*sizes)])
        for contestant, samples, size in ((OURS, ours, sizes[0]), (PILLOW, pillow, sizes[1])):
            facts[TIME, contestant] += samples.median
            facts[SIZE, contestant] += size
    both = facts[TIME, OURS], facts[TIME, PILLOW]
    sums = [number(1e3 * seconds) for seconds in both] + [number(both[1] / both[0])]
    rows.append(["all", *sums, *_sizes(facts[SIZE, OURS], facts[SIZE, PILLOW])])
    return rows, facts


def _sizes(ours: float, pillow: float) -> list[str]:
    return [number(ours / 1e3), number(pillow / 1e3), number(ours / pillow)]
