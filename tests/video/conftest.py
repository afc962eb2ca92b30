"""Without PyAV, or ffmpeg, which makes and judges the videos, there is nothing to test."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from support.clips import MISSING

REASON = MISSING if find_spec("av") else "PyAV is not installed"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if REASON and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason=REASON))
