"""Indices and palettes that are kept, as in label masks, against what Pillow reads and resizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import dpid_cli
from dpid_cli.pictures import FORMATS
from dpid_cli.pictures.codecs.base import INDICES
from support.command import is_one_error_line

KINDS = [codec.name for codec in FORMATS.values() if codec.modes & INDICES]
LABELS = np.random.default_rng(5).integers(0, 21, (24, 36), np.uint8)
COLOURS = np.random.default_rng(6).integers(0, 256, (256, 3), np.uint8)


def mask(colours: int = 256, labels: np.ndarray = LABELS) -> Image.Image:
    image = Image.fromarray(labels)
    image.putpalette(COLOURS[:colours].tobytes())
    return image


def indices(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices and the colours that they have in the file."""
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.array(image), np.array(image.getpalette("RGB")).reshape(-1, 3)


def keep(dpid, source: str, target: str, method: str = "nearest", *options: str):
    command = ["downscale", source, "-s", "3", "-m", method, "--palette", "keep", "-o", target, *options]
    return dpid(*command)


@pytest.mark.parametrize("method", ["nearest", "subsample"])
@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_indices_and_palette_are_kept(source, target, method, dpid, folder):
    mask().save(f"a.{source}", **({"optimize": False} if source == "gif" else {}))
    result = keep(dpid, f"a.{source}", f"b.{target}", method)
    assert result.exit_code == 0
    found, colours = indices(f"b.{target}")
    with Image.open(f"a.{source}") as image:
        by_pillow = np.array(image.resize((12, 8), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(found, by_pillow if method == "nearest" else LABELS[::3, ::3])
    np.testing.assert_array_equal(colours[:21], COLOURS[:21])


@pytest.mark.parametrize("colours", [2, 4, 16, 21])
def test_small_palettes(colours, dpid, folder):
    """As many colours as before, though PNG packs few indices into fewer bits."""
    mask(colours, LABELS % colours).save("a.png")
    keep(dpid, "a.png", "b.png")
    found, palette = indices("b.png")
    np.testing.assert_array_equal(found, (LABELS % colours)[1::3, 1::3])
    np.testing.assert_array_equal(palette, COLOURS[:colours])


def test_indices_outside_of_the_palette(dpid, folder):
    """A damaged PNG whose indices still fit into its bits."""
    mask(5, np.minimum(LABELS, 6)).save("a.png", bits=4)
    keep(dpid, "a.png", "b.png")
    found, palette = indices("b.png")
    np.testing.assert_array_equal(found, np.minimum(LABELS, 6)[1::3, 1::3])
    np.testing.assert_array_equal(palette[:5], COLOURS[:5])


@pytest.mark.parametrize(
    ("transparency", "targets"),
    [(7, ("png", "gif")), (bytes([0, 255, 128]), ("png",))],
    ids=["one", "several"],
)
def test_transparent_colours(transparency, targets, dpid, folder):
    """Kept where the format can, else an error."""
    mask().save("a.png", transparency=transparency)
    for target in KINDS:
        result = keep(dpid, "a.png", f"b.{target}")
        assert result.exit_code == (0 if target in targets else 1), target
        if target not in targets:
            assert is_one_error_line(result.stderr)
            assert result.stderr.endswith("cannot store these transparent colours: write PNG\n")
            continue
        with Image.open("a.png") as before, Image.open(f"b.{target}") as after:
            expected = before.convert("RGBA").resize((12, 8), Image.Resampling.NEAREST)
            assert list(after.convert("RGBA").get_flattened_data()) == list(expected.get_flattened_data())


def test_profile_and_metadata_are_kept(dpid, folder):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    mask().save("a.png", icc_profile=profile, dpi=(300, 300))
    keep(dpid, "a.png", "b.tif")
    with Image.open("b.tif") as image:
        assert image.info["icc_profile"] == profile
        assert image.info["dpi"] == (300, 300)


def test_pages(dpid, folder):
    mask().save("a.tif", save_all=True, append_images=[mask(labels=LABELS[:12])])
    keep(dpid, "a.tif", "b.tif")
    with Image.open("b.tif") as image:
        assert [image.size for page in range(2) if image.seek(page) is None] == [(12, 8), (12, 4)]
        assert image.mode == "P"


def test_other_images_do_not_change(dpid, folder):
    pixels = np.random.default_rng(7).integers(0, 256, (24, 36, 3), np.uint8)
    Image.fromarray(pixels).save("a.png")
    keep(dpid, "a.png", "b.png")
    with Image.open("b.png") as image:
        np.testing.assert_array_equal(np.array(image), pixels[1::3, 1::3])


def test_without_the_option_masks_become_colours(dpid, folder):
    mask().save("a.png")
    dpid("downscale", "a.png", "-s", "3", "-m", "nearest", "-o", "b.png")
    with Image.open("b.png") as image:
        np.testing.assert_array_equal(np.array(image), COLOURS[LABELS[1::3, 1::3]])


@pytest.mark.parametrize(
    ("target", "options", "problem"),
    [
        ("b.jpg", (), "JPEG cannot store palettes: write PNG, TIFF, BMP or GIF"),
        ("b.png", ("-m", "dpid"), "palette: dpid cannot average indices: use subsample or nearest"),
        ("b.png", ("--to-srgb",), "to-srgb: cannot be used with palette keep"),
        ("b.png", ("--linear",), "linear: cannot be used with palette keep"),
        ("b.png", ("--depth", "16"), "depth: cannot be used with palette keep"),
        ("b.png", ("--transparency", "drop"), "transparency: cannot be used with palette keep"),
    ],
)
def test_refusals(target, options, problem, dpid, folder):
    mask().save("a.png")
    result = keep(dpid, "a.png", target, "nearest", *options)
    assert result.exit_code in (1, 2)
    assert is_one_error_line(result.stderr) and problem in result.stderr
    assert not Path(target).exists()


def test_animations_are_refused(dpid, folder):
    """Their frames are painted over each other, in colours."""
    mask().save("a.gif", save_all=True, append_images=[mask(labels=LABELS[::-1].copy())])
    result = keep(dpid, "a.gif", "b.gif")
    assert result.exit_code == 1
    assert is_one_error_line(result.stderr) and "--palette keep" in result.stderr


def test_batch_and_library(dpid, folder):
    Path("in").mkdir()
    mask().save("in/a.png")
    options = ("-m", "subsample", "--palette", "keep")
    assert dpid("batch", "in", "out", "-s", "3", *options).exit_code == 0
    (result,) = dpid_cli.batch([("in/a.png", "b.png")], scale=3, method="subsample", palette="keep")
    assert result.status == "done"
    for path in ("out/a.png", "b.png"):
        np.testing.assert_array_equal(indices(path)[0], LABELS[::3, ::3])
    with pytest.raises(dpid_cli.ArgumentError, match="palette must be expand or keep"):
        list(dpid_cli.batch([("in/a.png", "c.png")], scale=3, palette="no"))
