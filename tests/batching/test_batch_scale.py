"""Batches of many files, and of large ones: memory is bounded, and every file accounted for."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command import DPID


def measured(folder: Path, *words: str) -> tuple[dict, float]:
    """The summary of a batch, and the most memory that it took, in MB."""
    with subprocess.Popen([DPID, "batch", *words, "--json", "-q"], cwd=folder, stdout=subprocess.PIPE) as run:
        summary = json.loads(run.stdout.read())
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode == (1 if summary["failed"] else 0)
    return summary, usage.ru_maxrss / 1e3


def make(folder: Path, count: int, in_each: int) -> None:
    """Tiny pictures in folders of so many; every hundredth file is none."""
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    for k in range(count):
        path = folder / str(k // in_each) / f"{k}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        if k % 100:
            Image.fromarray(np.roll(noise, k, axis=1)).save(path)
        else:
            path.write_bytes(b"none")


def check(folder: Path, count: int, in_each: int = 1000) -> float:
    """Run a batch on that many files, and compare every account of it; memory in MB."""
    make(folder / f"in{count}", count, in_each)
    words = (f"in{count}", f"out{count}", "-r", "-s", "4", "-m", "box", "--report", f"{count}.jsonl")
    summary, peak = measured(folder, *words)
    bad = -(-count // 100)
    assert [summary[key] for key in ("inputs", "done", "skipped", "failed", "remaining")] == [
        count, count - bad, 0, bad, 0
    ]  # fmt: skip
    told = [json.loads(line) for line in (folder / f"{count}.jsonl").read_bytes().splitlines()]
    inputs = {str(path.relative_to(folder)) for path in (folder / f"in{count}").rglob("*.bmp")}
    assert len(told) == count and {line["input"] for line in told} == inputs
    outputs = {str(path.relative_to(folder)) for path in (folder / f"out{count}").rglob("*.bmp")}
    assert {path for line in told for path in line["outputs"]} == outputs
    assert len(outputs) == count - bad
    return peak


def test_hundreds_of_small_images(folder):
    check(folder, 700)


@pytest.mark.soak
def test_memory_does_not_grow_with_the_number_of_images(folder):
    few = check(folder, 2_000)
    many = check(folder, 50_000, in_each=50_000)
    assert many < few + 30, f"{few:.0f} MB for 2,000 images, {many:.0f} MB for 50,000"


@pytest.mark.soak
@pytest.mark.parametrize("more", [(), ("--name", "{index:03}{ext}"), ("--processes",)])
def test_two_hundred_nested_folders(folder, more):
    """One image in each."""
    path = folder / "in"
    for level in range(200):
        path = path / f"level {level}"
        path.mkdir(parents=True)
        Image.new("RGB", (4, 4), (level, 0, 0)).save(path / "a.png")
    summary, _ = measured(folder, "in", "out", "-r", "-s", "2", "-m", "box", *more)
    assert summary["done"] == 200
    outputs = sorted((folder / "out").rglob("*.png"), key=lambda output: len(output.parts))
    for level, output in enumerate(outputs):
        assert output.name == (f"{level + 1:03}.png" if "--name" in more else "a.png")
        with Image.open(output) as image:
            assert image.size == (2, 2) and image.getpixel((0, 0)) == (level, 0, 0)
    assert len(outputs) == 200


def test_memory_is_that_of_the_images_in_flight(folder):
    for count in 2, 12:
        Path(f"in{count}").mkdir()
        for k in range(count):
            Image.new("RGB", (2400, 1800), (k, 2 * k, 3 * k)).save(f"in{count}/{k}.png", compress_level=1)
    few, many = (measured(folder, f"in{n}", f"out{n}", "-s", "4", "-m", "box", "-j", "2")[1] for n in (2, 12))
    decoded = 2400 * 1800 * 4 / 1e6
    assert many < few + decoded, f"{few:.0f} MB for 2 images, {many:.0f} MB for 12"
