"""Folders of images, and reports and summaries of batches."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence


def make(path: Path | str, size: tuple[int, int] = (8, 6), **options) -> Path:
    """A file of noise that depends on its name."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(os.fsencode(path.name)[-8:], "big")
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, **options)
    return path


def lines(path: Path | str = "r.jsonl") -> dict[str, dict]:
    """A report, by input; each must be there once."""
    found = [json.loads(line) for line in Path(path).read_bytes().splitlines()]
    told = {line["input"]: line for line in found}
    assert len(told) == len(found)
    return told


def statuses(path: Path | str = "r.jsonl") -> dict[str, str]:
    """The status of each input in a report."""
    return {name: line["status"] for name, line in lines(path).items()}


def counts(result) -> tuple[int, int, int]:
    """How many inputs were done, skipped and failed, from a summary in JSON."""
    summary = json.loads(result.stdout)
    return summary["done"], summary["skipped"], summary["failed"]


def files(folder: Path | str) -> list[str]:
    """Paths of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir())


def frames_of(path: Path | str) -> list[np.ndarray]:
    """All frames or pages, in RGB."""
    with Image.open(path) as image:
        return [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
