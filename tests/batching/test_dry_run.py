"""Dry runs say what a run would do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command import listing, pixels
from support.folders import files, lines, make


def test_dry_run_names_only_what_is_missing(dpid, photos):
    make("out/x2/a.png")
    result = dpid("batch", "in/a.png", "out", "-s", "2", "-s", "3", "--skip-existing", "-n")
    assert result.exit_code == 0 and "in/a.png: would write: out/x3/a.png\n" in result.stdout


@pytest.mark.parametrize("format_", ["jpeg", "webp", "gif", "pgm", "bmp", "png", "tiff"])
def test_dry_run_tells_what_the_format_cannot_hold(dpid, folder, format_):
    noise = np.random.default_rng(2).integers(1, 255, (12, 16, 4), np.uint8)
    Path("in").mkdir()
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"):
        image = Image.fromarray(noise[..., 0] * np.uint16(257)) if mode == "I;16" else None
        image = image or Image.fromarray(noise).convert("L" if mode == "F" else mode).convert(mode)
        image.save(f"in/{mode.replace(';', '')}.tif")
    Image.fromarray(noise).save("in/alpha.png")
    Image.fromarray(noise | np.uint8([0, 0, 0, 255])).save("in/opaque.png")
    words = ("batch", "in", format_, "-s", "2", "-m", "box", "--format", format_, "--json")
    dry, wet = dpid(*words, "-n"), dpid(*words)
    told, done = json.loads(dry.stdout), json.loads(wet.stdout)
    assert (told["done"], told["failed"]) == (done["done"], done["failed"])
    refused = [{line for line in run.stderr.splitlines() if " cannot store " in line} for run in (dry, wet)]
    assert refused[0] == refused[1]


def test_dry_run_tells_of_depths_that_the_format_cannot_hold(dpid, folder):
    gray = pixels(make("a.png"))[..., 0]
    (folder / "in").mkdir()
    Image.fromarray(gray * np.uint16(257)).save("in/deep.png")
    Image.fromarray(gray * np.uint16(257)).save("in/deeper.tif")
    Image.fromarray(gray / np.float32(255)).save("in/floats.tif")
    for format_, failed in ("jpeg", 3), ("png", 1), ("tiff", 0):
        words = ("batch", "in", format_, "-s", "2", "--format", format_, "--json")
        dry, wet = dpid(*words, "-n"), dpid(*words)
        assert json.loads(dry.stdout)["failed"] == json.loads(wet.stdout)["failed"] == failed
        assert dry.stderr.count(" cannot store ") == failed
    result = dpid("batch", "in", "new", "-s", "2", "--format", "jpeg", "--depth", "8", "-n", "--json")
    assert json.loads(result.stdout)["failed"] == 0


@pytest.mark.parametrize("words", ["-n", "-n --json -q", "--dry-run -v --report r.jsonl"])
def test_dry_run_writes_nothing(dpid, photos, words):
    before = listing(photos)
    result = dpid("batch", "in", "out", "-s", "2", *words.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert ("in/a.png: would write: out/a.png\n" in result.stdout) == ("-q" not in words)
    assert listing(photos) == before


def test_dry_run_tells_what_the_run_does(dpid, photos):
    make("in/small.png", (3, 3))
    make("out/exists.png")
    make("in/exists.png")
    make("in/sub/exists.png")
    make("out/sub/exists.png")
    (photos / "in" / "empty.png").touch()
    (photos / "in" / "text.png").write_text("text")
    for more in ["--skip-existing"], []:
        words = ("batch", "in", "out", "-r", "--width", "4", "--if-smaller", "skip", "--json", *more)
        dry = dpid(*words, "--dry-run", "-v")
        wet = dpid(*words, "--report", f"{len(more)}.jsonl")
        keys = ("inputs", "done", "skipped", "failed")
        assert [json.loads(dry.stdout)[key] for key in keys] == [json.loads(wet.stdout)[key] for key in keys]
        told = lines(f"{len(more)}.jsonl")
        expected = {
            name: line["error"] or line["reason"] or line["outputs"][0] for name, line in told.items()
        }
        assert len(expected) == 9
        for line in dry.stderr.splitlines():
            name = next(name for name in expected if line.startswith((f"{name}: ", expected[name])))
            assert expected.pop(name) in line
        assert expected == {}
        for path in files("out"):
            if "exists" not in path:
                Path("out", path).unlink()
