"""The contestants of the benchmarks, and the photo that they downscale.

A contestant is prepared for an image and a size before the clock starts; the result is a call without
arguments. Preparation imports the peer, so any peer may be missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import dpid_cli

SAMPLE = Path(__file__).parents[2] / "samples" / "hubble_deep_field.jpg"
SIZES = {"1/2": (3000, 2000), "1/4": (1500, 1000), "1280x853": (1280, 853), "1/16": (375, 250)}
THREADS = 2

Size = tuple[int, int]
Call = Callable[[], Any]


def make_photo() -> np.ndarray:
    """An enlarged sample, 6000x4000 RGB, with sensor noise."""
    with Image.open(SAMPLE) as sample:
        enlarged = np.asarray(sample.convert("RGB").resize((6000, 4000)), np.int16)
    noise = np.random.default_rng(0).integers(-9, 10, enlarged.shape, dtype=np.int16)
    return np.clip(enlarged + noise, 0, 255).astype(np.uint8)


def near_one_to_one(photo: np.ndarray) -> tuple[np.ndarray, Size]:
    """A frame that is slightly larger than the requested size, and that size."""
    return np.ascontiguousarray(photo[:2169, :3856]), (3840, 2160)


@dataclass(frozen=True)
class Contestant:
    """`prepare(image, size)` returns the call to measure; `needs` is the peer's module."""

    prepare: Callable[[np.ndarray, Size], Call]
    needs: str | None = None
    slow: bool = False

    @property
    def installed(self) -> bool:
        return self.needs is None or find_spec(self.needs) is not None


def ours(threads: int = THREADS, **options: Any) -> Contestant:
    """`dpid_cli.downscale` with these options."""
    return Contestant(
        lambda image, size: lambda: dpid_cli.downscale(image, size=size, threads=threads, **options)
    )


def _opencv(image: np.ndarray, size: Size) -> Call:
    import cv2

    cv2.setNumThreads(THREADS)
    return lambda: cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _pillow(resampling: Image.Resampling) -> Contestant:
    def prepare(array: np.ndarray, size: Size) -> Call:
        image = Image.fromarray(array)
        return lambda: image.resize(size, resampling)

    return Contestant(prepare)


def _libvips(array: np.ndarray, size: Size) -> Call:
    os.environ["VIPS_CONCURRENCY"] = str(THREADS)  # read when libvips is loaded
    import pyvips

    pyvips.cache_set_max(0)
    height, width, channels = array.shape
    image = pyvips.Image.new_from_memory(array.data, width, height, channels, "uchar")
    return lambda: image.resize(size[0] / width, vscale=size[1] / height).write_to_memory()


def _cykooz(array: np.ndarray, size: Size) -> Call:
    import cykooz_resizer as rival

    height, width, _ = array.shape
    source = rival.ImageData(width, height, rival.PixelType.U8x3, array.tobytes())
    target = rival.ImageData(*size, rival.PixelType.U8x3)
    box = rival.ResizeAlg.convolution(rival.FilterType.box)
    options = rival.ResizeOptions(box, thread_pool=rival.ResizerThreadPool(THREADS))
    resizer = rival.Resizer()
    return lambda: resizer.resize(source, target, options)


def _pepedpid(array: np.ndarray, size: Size) -> Call:
    os.environ["RAYON_NUM_THREADS"] = str(THREADS)  # read at the first call
    import pepedpid

    intensities = array.astype(np.float32) / 255
    return lambda: pepedpid.dpid_resize(intensities, size[1], size[0], 1.0)


REFERENCE = "OpenCV INTER_AREA"
CONTESTANTS = {
    REFERENCE: Contestant(_opencv, needs="cv2"),
    "Pillow BOX": _pillow(Image.Resampling.BOX),
    "Pillow LANCZOS": _pillow(Image.Resampling.LANCZOS),
    "libvips resize": Contestant(_libvips, needs="pyvips"),
    "cykooz-resizer Box": Contestant(_cykooz, needs="cykooz_resizer"),
    "box": ours(method="box"),
    "dpid": ours(),
    "dpp, alpha 0.1": ours(method="dpp", alpha=0.1),
    "dpid, lambda 0.7": ours(lambda_=0.7),
    "dpid, lambda 2.3": ours(lambda_=2.3),
    "dpid, linear light": ours(linear=True),
    "max": ours(method="max"),
    "pepedpid": Contestant(_pepedpid, needs="pepedpid", slow=True),
}
