"""dpid info IMAGE, against what Pillow wrote."""

from __future__ import annotations

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from support.command import is_one_error_line, process
from support.folders import make


def facts(dpid, *words: str) -> dict:
    result = dpid("info", *words, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_a_photograph(dpid, folder):
    exif = Image.Exif()
    exif[0x112], exif[0x10F] = 6, "camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    make("a.jpg", (80, 60), exif=exif, dpi=(300, 300), comment=b"hello", icc_profile=profile)
    found = facts(dpid, "a.jpg")
    assert (found["size"], found["orientation"], found["mode"], found["bits"]) == ([60, 80], 6, "RGB", 8)
    assert (found["format"], found["bytes"]) == ("JPEG", Path("a.jpg").stat().st_size)
    assert found["colours"].startswith("sRGB") and found["transparency"] == "none"
    assert (found["kind"], found["frames"], found["plays"]) == ("still", 1, None)
    assert found["resolution"] == [300, 300]
    kinds = [kind.partition(" ")[0] for kind in found["metadata"]]
    assert kinds == ["EXIF", "resolution", "comment"]
    assert (found["output_format"], found["lost"], found["error"]) == ("JPEG", [], None)


@pytest.mark.parametrize("format_", ["jpeg", "png", "webp", "bmp", "gif", "tiff", "qoi"])
def test_what_is_lost_is_what_a_run_says(dpid, folder, format_):
    """All lines of a run, and no others."""
    text = PngInfo()
    text.add_text("Title", "a title")
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    exif = Image.Exif()
    exif[0x10F] = "camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colours = np.random.default_rng(5).integers(0, 256, (48, 64, 4), np.uint8)
    image = Image.fromarray(colours)
    image.save("a.png", pnginfo=text, exif=exif, dpi=(200, 200), icc_profile=profile)
    found = facts(dpid, "a.png", "--format", format_)
    run = dpid("downscale", "a.png", "-s", "2", "-m", "box", "--format", format_, "--no-record", "-o", "out/")
    told = [line.partition(": ")[2] for line in run.stderr.splitlines()]
    if found["error"] is not None:
        assert run.exit_code == 1 and found["error"] in run.stderr
    else:
        assert run.exit_code == 0 and found["lost"] == told
    if format_ in ("png", "tiff"):
        assert not any("EXIF" in line for line in told)


def test_depths_frames_and_transparency(dpid, folder):
    deep = np.arange(40 * 30, dtype=np.uint16).reshape(30, 40) * 50
    imagecodecs.imwrite("deep.png", deep)
    found = facts(dpid, "deep.png")
    assert (found["mode"], found["bits"], found["floats"]) == ("L", 16, False)
    Image.fromarray(deep.astype(np.float32) / 65535).save("float.tif")
    assert (facts(dpid, "float.tif")["bits"], facts(dpid, "float.tif")["floats"]) == (32, True)
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue", "lime")]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=40, loop=0)
    found = facts(dpid, "a.gif")
    assert (found["kind"], found["frames"], found["plays"]) == ("animation", 3, 0)
    assert facts(dpid, "a.gif", "--format", "jpeg")["error"]
    frames[0].save("pages.tif", save_all=True, append_images=frames[1:])
    found = facts(dpid, "pages.tif")
    assert (found["kind"], found["frames"]) == ("pages", 3)
    assert facts(dpid, "pages.tif", "--frame", "-1")["kind"] == "still"
    for alpha, expected in (255, "opaque"), (254, "used"):
        Image.new("RGBA", (9, 9), (1, 2, 3, alpha)).save("alpha.png")
        assert facts(dpid, "alpha.png")["transparency"] == expected


def test_text(dpid, folder):
    exif = Image.Exif()
    exif[0x112] = 8
    make("a.jpg", (80, 60), exif=exif)
    Image.new("L", (5, 4)).save("b.png")
    result = dpid("info", "a.jpg", "b.png")
    first, second = result.stdout.split("\n\n")
    lines = dict(line.split("  ", 1) for line in first.splitlines())
    assert lines["size"].strip() == "60x80, turned upright (stored with orientation 8)"
    assert lines["as JPEG"].strip() == "keeps all of it"
    assert "L, 8 bits a channel" in second and "5x4" in second


def test_files_that_are_no_images(dpid, folder):
    make("a.png")
    Path("bad.png").write_bytes(b"nothing")
    result = dpid("info", "bad.png", "missing.png", "a.png", "--json")
    assert result.exit_code == 1 and result.stderr.count("\n") == 2
    facts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["input"] for each in facts] == ["bad.png", "missing.png", "a.png"]
    assert [bool(each.get("error")) for each in facts] == [True, True, False]
    result = dpid("info", "--format", "png")
    assert result.exit_code == 2 and is_one_error_line(result.stderr)


def test_standard_input(folder):
    content = make("a.png", (12, 10)).read_bytes()
    found = json.loads(process("info", "-", "--json", input=content).stdout)
    assert (found["input"], found["size"], found["bytes"]) == ("-", [12, 10], len(content))
