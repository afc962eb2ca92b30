"""What all tests of downscaling share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dpid_cli.downscaling import strips


@pytest.fixture(scope="module")
def threads_for_small_images() -> Iterator[None]:
    """Let threads share small images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "_WORTH_A_THREAD", 1)
        yield
