"""Maps in files: `--importance MASK` and `--guidance IMAGE`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from dpid_cli import downscale


@pytest.fixture
def mask(photo):
    """``mask.png``, gray, of the size of the photo."""
    values = np.random.default_rng(1).integers(0, 256, (40, 60), np.uint8)
    values[:, :20] = 0
    Image.fromarray(values).save("mask.png")
    return values


@pytest.mark.parametrize("method", ["dpid", "dpp", "box"])
def test_importance(dpid, noise, mask, method):
    words = "-s", "4", "-m", method, "--importance", "mask.png", "-o", "small.png"
    done = dpid("downscale", "photo.png", *words)
    assert done.exit_code == 0, done.stderr
    with Image.open("small.png") as image:
        expected = downscale(noise, scale=4, method=method, importance=mask)
        np.testing.assert_array_equal(np.asarray(image), expected)
        assert image.text["Software"].endswith("importance=mask.png")


def test_colours_and_alpha_of_a_mask(dpid, noise, mask):
    """Colours count by their mean, and what is transparent does not."""
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:10] = 0
    Image.fromarray(np.dstack([mask, mask, mask, alpha])).save("colours.png")
    dpid("downscale", "photo.png", "-s", "4", "--importance", "colours.png", "-o", "small.png")
    expected = downscale(noise, scale=4, importance=mask * (alpha / 255))
    np.testing.assert_array_equal(np.asarray(Image.open("small.png")), expected)


def test_importance_with_alpha(dpid, noise, mask):
    """Where nothing is transparent, the mask counts as without alpha."""
    Image.fromarray(np.dstack([noise, np.full((40, 60), 255, np.uint8)])).save("alpha.png")
    words = "-s", "4", "--importance", "mask.png"
    for name in "photo", "alpha":
        assert dpid("downscale", f"{name}.png", *words, "-o", f"{name}_small.png").exit_code == 0
    plain, alpha = (np.asarray(Image.open(f"{name}_small.png")) for name in ("photo", "alpha"))
    np.testing.assert_array_equal(alpha[..., :3], plain)
    half = np.full((40, 60), 255, np.uint8)
    half[:, 30:] = 60
    Image.fromarray(np.dstack([noise, half])).save("alpha.png")
    for more in (), ("--transparency", "separate"), ("--linear",):
        done = dpid("downscale", "alpha.png", *words, *more, "--overwrite", "-o", "alpha_small.png")
        assert done.exit_code == 0, done.stderr
        np.testing.assert_allclose(np.asarray(Image.open("alpha_small.png"))[:, :7, 3], 255)


def test_guidance(dpid, noise, photo):
    guidance = np.random.default_rng(2).integers(0, 256, (10, 15, 3), np.uint8)
    Image.fromarray(guidance).save("guidance.png")
    words = "-s", "4", "--lambda", "0.7", "--guidance", "guidance.png", "--json", "-o", "small.png"
    done = dpid("downscale", "photo.png", *words)
    assert json.loads(done.stdout)["parameters"]["guidance"] == "guidance.png"
    with Image.open("small.png") as image:
        expected = downscale(noise, scale=4, lambda_=0.7, guidance=guidance)
        np.testing.assert_array_equal(np.asarray(image), expected)
        assert " guidance=guidance.png " in image.text["Software"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--importance none.png", "--importance: none.png: "),
        ("--importance small.png", "importance must have the shape of the image, (40, 60) (got (10, 15))"),
        ("--importance mask.png -m max", "importance: method max takes none"),
        ("--importance mask.png --lambda 9", "importance: works with lambda up to"),
        ("--importance photo.txt", "--importance: photo.txt: "),
        ("--importance mask.png --max-pixels 2399", "--importance: mask.png: "),
        ("--guidance mask.png", "guidance must have the shape of the output, (10, 15, 3) (got (40, 60"),
        ("--guidance none.png", "--guidance: none.png: "),
        ("--guidance small.png -m s3dpp", "guidance: method s3dpp takes no image"),
    ],
)
def test_errors(dpid, mask, folder, words, message):
    Image.fromarray(mask[:10, :15]).save("small.png")
    (folder / "photo.txt").write_text("no image")
    done = dpid("downscale", "photo.png", "-s", "4", *words.split(), "-o", "out.png")
    assert done.exit_code in (1, 2) and message in done.stderr
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("words", [(), ("--transparency", "separate"), ("--transparency", "drop")])
def test_the_own_means_as_guidance_with_alpha(dpid, folder, noise, mode, words):
    """They guide dpp by default; as files, they are rounded."""
    alpha = np.linspace(40, 255, 60).astype(np.uint8)[None].repeat(40, 0)
    image = Image.fromarray(noise).convert(mode[:-1])
    image.putalpha(Image.fromarray(alpha))
    image.save("clear.png")
    size = "-s", "4", *words
    dpid("downscale", "clear.png", *size, "-m", "box", "-o", "means.png")
    dpid("downscale", "clear.png", *size, "-m", "dpp", "-o", "plain.png")
    done = dpid("downscale", "clear.png", *size, "-m", "dpp", "--guidance", "means.png", "-o", "given.png")
    assert done.exit_code == 0, done.stderr
    plain, given = (np.asarray(Image.open(name)).astype(int) for name in ("plain.png", "given.png"))
    assert np.abs(plain - given).max() <= 4
    with Image.open("means.png") as means:
        means.convert(mode[:-1]).save("colours.png")
    done = dpid("downscale", "clear.png", *size, "-m", "dpp", "--guidance", "colours.png", "-o", "other.png")
    assert done.exit_code == 0, done.stderr
    assert np.abs(plain - np.asarray(Image.open("other.png")).astype(int)).max() <= 4


def test_compare_takes_a_guidance(dpid, noise, photo):
    Image.fromarray(noise[::4, ::4]).save("guidance.png")
    done = dpid("compare", "photo.png", "-s", "4", "-m", "dpid:guidance=guidance.png", "-o", "sheet.png")
    assert done.exit_code == 0, done.stderr


def test_maps_are_never_replaced(dpid, mask, folder):
    before = (folder / "mask.png").read_bytes()
    words = "-s", "4", "--importance", "mask.png", "-o", "mask.png", "--overwrite"
    assert dpid("downscale", "photo.png", *words).exit_code == 1
    assert (folder / "mask.png").read_bytes() == before


def test_batches_never_replace_a_guidance(dpid, noise, photo, folder):
    (folder / "out").mkdir()
    Image.fromarray(noise[::4, ::4]).save("out/photo.png")
    before = (folder / "out" / "photo.png").read_bytes()
    words = "-s", "4", "--guidance", "out/photo.png", "--overwrite"
    done = dpid("batch", "photo.png", "out", *words)
    assert done.exit_code == 1 and "out/photo.png" in done.stderr
    assert (folder / "out" / "photo.png").read_bytes() == before


def test_reports_name_the_mask(dpid, mask):
    done = dpid("downscale", "photo.png", "-s", "4", "--importance", "mask.png", "--json", "-o", "small.png")
    assert json.loads(done.stdout)["parameters"]["importance"] == "mask.png"
