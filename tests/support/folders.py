"""Folders of images, and reports of batches."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image


def make(path: Path | str, size: tuple[int, int] = (8, 6), **options) -> Path:
    """A file of noise that depends on its name."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(os.fsencode(path.name)[-8:], "big")
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, **options)
    return path


def lines(path: Path | str) -> dict[str, dict]:
    """A report, by input; each must be there once."""
    found = [json.loads(line) for line in Path(path).read_bytes().splitlines()]
    told = {line["input"]: line for line in found}
    assert len(told) == len(found)
    return told
