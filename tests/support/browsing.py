"""What tests read from the page of a comparison in Chromium."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


def shown(page) -> np.ndarray:
    """The pixels of the view."""
    return drawn(page, "document.getElementById('view')")


def drawn(page, canvas: str) -> np.ndarray:
    """The pixels of a canvas, which an expression finds."""
    data = page.evaluate(f"{canvas}.toDataURL()").split(",")[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.array(image.convert("RGB"))


def screenshot(page, **options) -> np.ndarray:
    """What is on the screen."""
    with Image.open(io.BytesIO(page.screenshot(**options))) as image:
        return np.array(image.convert("RGB"))


def chosen(page) -> tuple[str, str]:
    """The labels of the images on the left and on the right."""
    return tuple(
        page.evaluate(f"document.getElementById('{side}').selectedOptions[0].textContent")
        for side in ("left", "right")
    )


def choose(page, left: str, right: str) -> None:
    page.select_option("#left", label=left)
    page.select_option("#right", label=right)


def state(page) -> dict:
    """What the view shows: pixels of the output are `zoom` pixels wide, and (x, y) is its corner."""
    return page.evaluate("({...View.state})")


def expected(page, result: np.ndarray, offset: int = 0) -> np.ndarray:
    """The pixels of the view if it showed only this output, and -1 outside the output."""
    now = state(page)
    width, height = page.evaluate("[View.canvas.width, View.canvas.height]")
    y, x = np.mgrid[0:height, 0:width]
    row = np.floor((y - now["y"]) / now["zoom"]).astype(int)
    column = np.floor((x - now["x"] - offset) / now["zoom"]).astype(int)
    inside = (row >= 0) & (row < result.shape[0]) & (column >= 0) & (column < result.shape[1])
    wanted = np.full((height, width, 3), -1)
    wanted[inside] = result[row[inside], column[inside]]
    return wanted


def agree(seen: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether all pixels that are wanted are there, and some are."""
    there = wanted[..., 0] >= 0
    return bool(there.any()) and np.array_equal(seen[there], wanted[there])
