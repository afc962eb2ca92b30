"""The shell and Python blocks of every page run in their order, in a fresh folder with a reader's files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.belongings import lay_out
from support.command import DPID
from support.pages import PAGES, Block, to_run

BLOCKS = {page: to_run(text) for page, text in PAGES.items()}
# Why blocks do not run here; each word stands in the comment above its blocks.
REASONS = {"cluster", "GPU", "notebook", "repository", "server", "tests", "videos"}
MOST_NOT_RUN = 20
# Libraries that only some environments have; without them, blocks that import them are left out.
OPTIONAL = ("albumentations", "kornia", "torch", "vapoursynth")
# What blocks are meant to say on standard error, as their page tells.
SAID = {"docs/files.md": r"orthophoto\.tif: 4 channels", "docs/compare.md": r"preference: "}

# Sizes of files, kernels that are compiled, images that are done, and how a fit went.
PROGRESS = re.compile(
    r"(dpid: )?compil|.*: \d[\d.,]* [kM]?B|.*\bin \d[\d.]* s$|\d+ of \d+ |training: |held out: |lambda \d"
)


def run(block: Block) -> tuple[int, list[str]]:
    """Exit status, and lines on standard error but those about progress."""
    command = [sys.executable, "-W", "error"] if block.language == "python" else ["bash", "-euo", "pipefail"]
    environment = os.environ | {"SLURM_ARRAY_TASK_ID": "1", "SHELL": "/bin/bash"}
    if "dpid cache" in block.content:
        environment["DPID_CACHE_DIR"] = str(Path("cache").resolve())  # which it may empty
    environment["PATH"] = f"{DPID.parent}:{environment['PATH']}"
    done = subprocess.run(
        command, input=block.content, capture_output=True, text=True, env=environment, timeout=600
    )
    return done.returncode, [line for line in done.stderr.splitlines() if not PROGRESS.match(line)]


@pytest.mark.parametrize("page", [page for page, blocks in BLOCKS.items() if blocks])
def test_blocks_run_in_their_order(page, folder):
    """Once without a word; and again, when they may only refuse to replace their outputs."""
    lay_out()
    for again in (False, True):
        for block in BLOCKS[page]:
            if block.reason or any(f" {name}" in block.content and not find_spec(name) for name in OPTIONAL):
                continue
            status, lines = run(block)
            lines = [line for line in lines if not re.match(SAID.get(page, "(?!)"), line)]
            if again and block.language == "sh":
                lines = [line for line in lines if not re.search("exists? already: use --", line)]
                assert (status in (0, 1, 2), lines) == (True, []), block.content
            else:
                assert (status, lines) == (0, []), block.content


def test_few_blocks_do_not_run_and_each_has_a_reason():
    reasons = [block.reason for blocks in BLOCKS.values() for block in blocks if block.reason]
    assert all(any(word in reason.split() for word in REASONS) for reason in reasons)
    assert len(reasons) <= MOST_NOT_RUN
