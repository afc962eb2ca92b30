"""Files of lines: where they continue after a killed process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dpid_cli.files.lines import appending


@pytest.mark.parametrize("length", [0, 1, 100, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("ends", [0, 1, 30])
def test_lines_follow_the_last_whole_one(folder, length, ends):
    random = np.random.default_rng([length, ends])
    content = np.full(length, ord("a"), np.uint8)
    content[random.integers(0, length, min(length, ends))] = ord("\n")
    Path("a").write_bytes(content.tobytes())
    with appending("a", keep=True) as stream:
        stream.write(b"more\n")
    whole = b"".join(line for line in content.tobytes().splitlines(keepends=True) if line.endswith(b"\n"))
    assert Path("a").read_bytes() == whole + b"more\n"
