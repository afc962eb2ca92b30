"""What people let a pool of processes do with Pillow; its processes import nothing else."""

from __future__ import annotations

from typing import Any

from PIL import Image


def reduce(source: str, target: str, options: dict[str, Any]) -> None:
    """Write a quarter of an image."""
    with Image.open(source) as image:
        image.reduce(4).save(target, **options)
