"""Folders of images for batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.folders import make


@pytest.fixture
def photos(folder: Path) -> Path:
    """Some pictures in ``in``, one of them in a folder."""
    for name in "a.png", "b.jpg", "sub/c.png", "sub/deep/d.PNG", ".hidden.png", ".cache/e.png":
        make(folder / "in" / name)
    (folder / "in" / "notes.txt").write_text("no picture")
    return folder
