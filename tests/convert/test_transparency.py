"""Transparency in every way, against Pillow's compositing, separate calls and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli import METHODS
from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling import alpha
from dpid_cli.downscaling.transfer import SRGB, interpolated
from dpid_cli.pictures import Picture, icc
from support.command import is_one_error_line, listing, pixels
from support.profiles import (
    P3,
    by_pillow,
    cube_profile,
    gray_profile,
    name_of,
    rgb_profile,
    srgb_encoded,
    srgb_light,
)

ORANGE = (250, 120, 10)
DEPTHS = {"uint8": 255, "uint16": 65535, "float32": 1}


def disc(hidden: int, dtype: str = "uint8") -> np.ndarray:
    """An orange disc with a soft rim; where nothing is seen, `hidden` of 255 lies."""
    y, x = np.mgrid[:48, :48] - 23.5
    opacity = np.clip(19 - np.hypot(x, y), 0, 1)
    result = np.full((48, 48, 4), hidden, float)
    result[opacity > 0, :3] = ORANGE
    result[..., 3] = np.round(opacity * 255)
    return (result / 255 * DEPTHS[dtype]).astype(dtype)


def deepened(values: np.ndarray, dtype: str) -> np.ndarray:
    """Bytes at another depth."""
    return (values / np.float64(255) * DEPTHS[dtype]).astype(dtype)


@pytest.mark.parametrize("linear", [False, True], ids=["encoded", "light"])
@pytest.mark.parametrize("method", METHODS)
def test_no_halo(method, linear):
    """What is hidden has no say, and the rim has the colour of the disc."""
    for dtype in "uint8", "uint16":
        on_black, on_white = (
            downscale_picture(
                Picture(disc(hidden, dtype), True, None, "png"), (12, 12), method=method, linear=linear
            ).pixels
            for hidden in (0, 255)
        )
        np.testing.assert_array_equal(on_black, on_white)
        level = DEPTHS[dtype] / 255
        visible = on_black[..., 3] > 64 * level
        assert visible.any() and not visible.all()
        # Joint weights are those of alpha, too; those of a channel and clipped overshoots shift colours.
        shift = 2 if method in ("dpid", "box", "nearest", "subsample", "mixed", "max", "bilinear") else 64
        off = np.abs(on_black[visible][:, :3] / level - ORANGE)
        assert off.max() <= shift, (dtype, off.max())


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("linear", [False, True], ids=["encoded", "light"])
@pytest.mark.parametrize("dtype", DEPTHS)
def test_separate_is_two_calls(noise, mode, linear, dtype):
    values = deepened(np.dstack([noise, noise[::-1, :, 0]]), dtype)
    values = values[..., -2:] if mode == "LA" else values
    method = "dpid" if dtype == "uint8" else "softpool"
    result = downscale_picture(
        Picture(values, True, None, "png"), (23, 17), method=method, linear=linear, transparency="separate"
    ).pixels
    colours = dpid_cli.downscale(values[..., :-1], size=(23, 17), method=method, linear=linear)
    opacity = dpid_cli.downscale(values[..., -1].copy(), size=(23, 17), method=method)
    np.testing.assert_array_equal(result, np.dstack([colours, opacity]))


def test_separate_by_the_command(dpid, folder, noise):
    """Alpha may be no transparency at all, but a height or a mask."""
    data = np.dstack([noise, np.where(noise[..., 0] > 127, 255, 0)]).astype(np.uint8)
    Image.fromarray(data).save("a.png")
    result = dpid("downscale", "a.png", "-s", "2", "--transparency", "separate", "-o", "b.png")
    assert (result.exit_code, result.stderr) == (0, "")
    expected = [dpid_cli.downscale(part.copy(), scale=2) for part in (data[..., :3], data[..., 3])]
    np.testing.assert_array_equal(pixels("b.png"), np.dstack(expected))
    with Image.open("b.png") as image:
        assert image.text["Software"].endswith(" transparency=separate")


@pytest.mark.parametrize("background", [None, "black", "#f80", "#3b9e07", "rgb(10%, 20%, 30%)"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_drop_is_what_pillow_composes(dpid, folder, noise, background, mode):
    image = Image.fromarray(noise)
    image.putalpha(Image.fromarray(np.clip(noise[..., 0] * 2.0 - 128, 0, 255).astype(np.uint8)))
    image.convert(mode).save("a.png")
    words = () if background is None else ("--background", background)
    words = ("-s", "1", "-m", "box", "--transparency", "drop", *words, "-o", "b.png")
    result = dpid("downscale", "a.png", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    behind = Image.new("RGBA", image.size, background or "white")
    expected = Image.alpha_composite(behind, Image.open("a.png").convert("RGBA"))
    with Image.open("b.png") as written:
        gray = mode == "LA" and background in (None, "black")
        assert written.mode == ("L" if gray else "RGB")
        assert written.text["Software"].endswith(f" transparency=drop background={background or 'white'}")
        found = np.asarray(written.convert("RGB")).astype(int)
    assert np.abs(found - np.asarray(expected)[..., :3]).max() <= 1


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("linear", [False, True], ids=["encoded", "light"])
def test_laying_over(dtype, linear):
    """c = a * colour + (1 - a) * background, of light or of values."""
    rng = np.random.default_rng(4)
    bytes_ = rng.integers(0, 256, (300, 20, 4), np.uint8)
    bytes_[:5, :, 3], bytes_[5:9, :, 3] = 0, 255
    values, full = deepened(bytes_, dtype), DEPTHS[dtype]
    behind = np.array([0.9, 0.5, 0.1])
    result = alpha.composited(values, behind, SRGB if linear else None)
    seen, share = values[..., :3] / np.float64(full), values[..., 3:] / np.float64(full)
    if linear:
        expected = srgb_encoded(srgb_light(seen) * share + srgb_light(behind) * (1 - share))
    else:
        expected = seen * share + behind * (1 - share)
    assert result.dtype == dtype
    np.testing.assert_allclose(result / full, expected, atol=1e-6 if dtype == "float32" else 0.502 / full)
    np.testing.assert_array_equal(result[5:9], values[5:9, :, :3])


def test_drop_comes_before_downscaling(dpid, folder):
    """Weights see what is shown: a black line on white, be it drawn by alpha or by colour."""
    shown = np.full((32, 32, 3), 255, np.uint8)
    shown[13] = 0
    Image.fromarray(shown).save("shown.png")
    hidden = np.zeros((32, 32, 4), np.uint8)
    hidden[13, :, 3] = 255
    Image.fromarray(hidden).save("hidden.png")
    for options in "", "--linear", "-m dpp", "-m min":
        words = ("-s", "4", "--transparency", "drop", "--overwrite", *options.split())
        for name in "shown", "hidden":
            assert dpid("downscale", f"{name}.png", "-o", f"{name}.bmp", *words).exit_code == 0
        np.testing.assert_array_equal(pixels("hidden.bmp"), pixels("shown.bmp"))


def test_half_of_black_in_light(dpid, folder):
    half = np.zeros((8, 8, 2), np.uint8)
    half[..., 1] = 128
    Image.fromarray(half).save("a.png")
    for options, level in ((), 127), (("--linear",), 187):
        words = ("-s", "2", "--transparency", "drop", "-o", "b.jpg", "--overwrite", *options)
        assert dpid("downscale", "a.png", *words).exit_code == 0
        assert np.abs(pixels("b.jpg").astype(int) - level).max() <= 1


def test_the_background_is_a_colour_of_srgb(dpid, folder):
    """In a picture of another space, it is converted to that."""
    profile = rgb_profile(P3, gamma=2.2)
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save("a.png", icc_profile=profile)
    words = ("-s", "2", "--transparency", "drop", "--background", "#c04020", "-o", "b.png")
    assert dpid("downscale", "a.png", *words).exit_code == 0
    with Image.open("b.png") as image:
        assert image.info["icc_profile"] == profile
        shown = by_pillow(image, profile).astype(int)
        assert np.abs(np.asarray(image)[0, 0] - (0xC0, 0x40, 0x20)).max() > 5
    assert np.abs(shown - (0xC0, 0x40, 0x20)).max() <= 1


def test_colour_behind_gray_of_a_profile(dpid, folder):
    ramp = np.dstack([np.arange(256)] * 2).astype(np.uint8).reshape(16, 16, 2)
    ramp[8:, :, 1] = 255
    profile = gray_profile(1.0)
    Image.fromarray(ramp).save("a.png", icc_profile=profile)
    words = ("-s", "1", "--transparency", "drop", "--background", "red", "-o", "b.png")
    assert dpid("downscale", "a.png", *words).exit_code == 0
    expected = by_pillow(Image.fromarray(ramp[8:, :, 0].copy()), profile)
    assert np.abs(pixels("b.png")[8:] - expected.astype(int)).max() <= 1
    assert (pixels("b.png")[0, 0] == (255, 0, 0)).all()
    assert name_of("b.png") == "sRGB built-in"


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("own_curves", [False, True])
def test_light_weighted_by_alpha(kind, own_curves):
    """mean(a * light) / mean(a), encoded again: what box means with all three."""
    rng = np.random.default_rng(8)
    values = deepened(rng.integers(0, 256, (24, 24, 4), np.uint8), kind)
    profile = rgb_profile(P3, gamma=1.9) if own_curves else None
    result = downscale_picture(Picture(values, True, profile, "png"), (6, 6), method="box", linear=True)
    unit = values / np.float64(DEPTHS[kind])
    light = unit[..., :3] ** 1.9 if own_curves else srgb_light(unit[..., :3])
    seen = np.dstack([light * unit[..., 3:], unit[..., 3:]]).reshape(6, 4, 6, 4, 4).mean(axis=(1, 3))
    mean = seen[..., :3] / seen[..., 3:]
    expected = np.dstack([mean ** (1 / 1.9) if own_curves else srgb_encoded(mean), seen[..., 3:]])
    off = np.abs(result.pixels - expected * DEPTHS[kind])
    assert off.max() <= (0.6 if kind == "uint8" else 2)


def test_the_transfer_of_premultiplied_colours_and_back():
    values = np.random.default_rng(3).random((500, 4), np.float32)
    values[:, :3] *= values[:, 3:]
    values[:9] = 0
    curves = [np.linspace(0, 1, 300) ** gamma for gamma in (1.0, 1.8, 2.6)]
    transfer = alpha.premultiplied(interpolated(curves))
    given = values.copy()
    light = transfer.decode(values)
    np.testing.assert_array_equal(values, given)
    np.testing.assert_allclose(transfer.encode(light), values, atol=1e-6)
    np.testing.assert_array_equal(light[:, 3], values[:, 3])
    opacity = values[20, 3]
    expected = (values[20, :3] / opacity) ** (1.0, 1.8, 2.6) * opacity
    np.testing.assert_allclose(light[20, :3], expected, atol=1e-5)


def test_opaque_pictures_with_alpha(noise):
    for linear in False, True:
        for way in "premultiply", "separate", "drop":
            opaque = np.dstack([noise, np.full(noise.shape[:2], 255, np.uint8)])
            options = {"method": "dpid", "linear": linear, "transparency": way}
            plain = downscale_picture(Picture(noise, False, None, "png"), (20, 13), **options).pixels
            result = downscale_picture(Picture(opaque, True, None, "png"), (20, 13), **options).pixels
            np.testing.assert_array_equal(result[..., :3], plain)
            assert way == "drop" or (result[..., 3:] == 255).all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--background", "red"], "background: works only with transparency drop"),
        (
            ["--transparency", "separate", "--background", "red"],
            "background: works only with transparency drop",
        ),
        (
            ["--transparency", "drop", "--background", "reddish"],
            "background: 'reddish' is not an opaque colour",
        ),
        (["--transparency", "drop", "--background", "#ff000080"], "background: '#ff000080' is not an opaque"),
        (["--transparency", "drop", "--background", ""], "background: '' is not an opaque colour"),
        (["--transparency", "keep"], "dpid downscale: --transparency "),
    ],
)
def test_usage(dpid, photo, words, told):
    before = listing(photo.parent)
    result = dpid("downscale", "photo.png", "-s", "2", *words)
    assert result.exit_code == 2 and is_one_error_line(result.stderr)
    assert result.stderr.startswith(told) and listing(photo.parent) == before


def test_the_error_names_the_way_out(dpid, folder):
    Image.fromarray(disc(0)).save("a.png")
    result = dpid("downscale", "a.png", "-s", "2", "-o", "a.jpg")
    assert result.exit_code == 1 and result.stderr.endswith(", or use --transparency drop\n")
    assert dpid("downscale", "a.png", "-s", "2", "-o", "a.jpg", "--transparency", "drop").exit_code == 0
    assert (pixels("a.jpg")[0, 0] >= 253).all()


def test_a_profile_without_a_way_back(folder):
    """Its picture becomes sRGB, in which the background is known."""
    values = np.dstack([np.full((8, 8, 3), 90, np.uint8), np.zeros((8, 8), np.uint8)])
    picture = Picture(values, True, cube_profile(), "png")
    result = downscale_picture(picture, (4, 4), method="box", transparency="drop", background="#123456")
    assert (result.pixels == (0x12, 0x34, 0x56)).all() and result.icc_profile == icc.srgb()
