"""Profiles and light, against LittleCMS as Pillow calls it, and closed forms."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling.transfer import interpolated
from dpid_cli.pictures import FORMATS, Picture, icc
from support.command import is_one_error_line, pixels
from support.profiles import (
    ADOBE,
    P3,
    PROFILES,
    SRGB,
    by_pillow,
    cube_profile,
    gray_profile,
    ink_profile,
    name_of,
    opened,
    rgb_profile,
    srgb_encoded,
    srgb_light,
    table,
)


def blocks(values: np.ndarray) -> np.ndarray:
    """Every pixel as 4 x 4: downscaled to a quarter, it is itself."""
    return values.repeat(4, axis=0).repeat(4, axis=1)


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("extension", ["png", "tif", "webp"])
def test_to_srgb(dpid, folder, noise, kind, extension):
    options = {"lossless": True} if extension == "webp" else {}
    image = Image.fromarray(blocks(noise))
    image.save(f"a.{extension}", icc_profile=PROFILES[kind], **options)
    result = dpid("downscale", f"a.{extension}", "-s", "4", "-m", "box", "--to-srgb", "-o", "b.png")
    assert (result.exit_code, result.stderr) == (0, "")
    expected = by_pillow(Image.fromarray(noise), PROFILES[kind]).astype(int)
    assert np.abs(pixels("b.png") - expected).max() <= 1
    assert np.abs(noise - expected).max() > 10
    assert name_of("b.png") == "sRGB built-in"
    Path("b.png").unlink()
    dpid("downscale", f"a.{extension}", "-s", "4", "-m", "box", "-o", "b.png")  # carried, not applied
    np.testing.assert_array_equal(pixels("b.png"), noise)
    with Image.open("b.png") as carried:
        assert carried.info["icc_profile"] == PROFILES[kind]


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(("dtype", "full"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_to_srgb_at_every_depth(noise, kind, alpha, dtype, full):
    expected = by_pillow(Image.fromarray(noise), PROFILES[kind]) / 255
    deep = (noise / np.float64(255) * full).astype(dtype)
    given = np.dstack([deep, deep[..., 0]]) if alpha else deep
    result = icc.to_srgb(Picture(given, alpha, PROFILES[kind], "png"), threads=2)
    assert (result.mode, result.icc_profile) == (Picture(given, alpha, None, "png").mode, icc.srgb())
    # Pillow has but 8 bits, and for these LittleCMS samples tables.
    levels = 2 if kind == "look-up table" else 1.01
    np.testing.assert_allclose(np.clip(result.pixels[..., :3] / full, 0, 1), expected, atol=levels / 255)
    if alpha:
        np.testing.assert_array_equal(result.pixels[..., 3], given[..., 3])


def test_16_bits_are_as_exact_as_floats():
    deep = np.random.default_rng(5).integers(0, 65536, (50, 50, 3), np.uint16)
    profile = PROFILES["Adobe RGB"]
    fine = icc.to_srgb(Picture((deep / 65535).astype(np.float32), False, profile, "tiff")).pixels
    coarse = icc.to_srgb(Picture(deep, False, profile, "tiff")).pixels
    assert np.abs(coarse - np.clip(fine, 0, 1) * 65535).max() <= 1


def test_colours_beyond_srgb_do_not_explode():
    green = np.tile(np.float32([0, 1, 0]), (4, 4, 1))
    result = icc.to_srgb(Picture(green, False, PROFILES["Display P3"], "tiff")).pixels
    assert result.min() >= 0 and result.max() < 1.1


@pytest.mark.parametrize("profile", [gray_profile(1.8), PROFILES["Adobe RGB"]], ids=["gray", "RGB"])
@pytest.mark.parametrize("extension", ["png", "webp"])
def test_gray_stays_gray(dpid, folder, profile, extension):
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(blocks(gray)).save("a.png", icc_profile=profile)
    words = ("-s", "4", "-m", "box", "--to-srgb", "-o", f"b.{extension}")
    result = dpid("downscale", "a.png", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    image = Image.fromarray(gray)
    expected = by_pillow(image if profile[16:20] == b"GRAY" else image.convert("RGB"), profile)
    assert name_of(f"b.{extension}") == "sRGB built-in"
    if extension == "png":
        assert np.abs(pixels("b.png") - expected[..., 1].astype(int)).max() <= 1
        with Image.open("b.png") as written:  # the tag says what the pixels are
            shown = by_pillow(written, written.info["icc_profile"])
        assert np.abs(shown - expected.astype(int)).max() <= 1


def test_gray_that_is_coloured_by_its_profile():
    picture = Picture(np.arange(256, dtype=np.uint8).reshape(16, 16), False, cube_profile(), "png")
    result = icc.to_srgb(picture)
    image = Image.fromarray(picture.pixels).convert("RGB")
    assert np.abs(result.pixels - by_pillow(image, cube_profile()).astype(int)).max() <= 1
    assert result.icc_profile == icc.srgb()


def test_what_has_no_profile_is_srgb(dpid, photo):
    dpid("downscale", "photo.png", "-s", "2", "-o", "plain.png", "--no-record")
    result = dpid("downscale", "photo.png", "-s", "2", "-o", "srgb.png", "--no-record", "--to-srgb")
    assert (result.exit_code, result.stderr) == (0, "")
    assert Path("plain.png").read_bytes() == Path("srgb.png").read_bytes()


def test_srgb_profiles_are_the_same_on_any_day():
    for profile in icc.srgb(), icc.srgb_gray():
        assert struct.unpack(">6H", profile[24:36]) == (2020, 1, 1, 0, 0, 0)
        assert struct.unpack(">I", profile[:4]) == (len(profile),)
        assert opened(profile).profile.profile_description == "sRGB built-in"
    reference = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert icc.srgb()[36:] == reference[36:]


@pytest.mark.parametrize("options", [(), ("--to-srgb",), ("--linear",)])
@pytest.mark.parametrize("encoded", ["CMYK", "YCCK"])
def test_inks_of_jpegs(dpid, folder, options, encoded):
    """Photoshop writes inks inverted, and often as luma, chroma and black."""
    inks = np.random.default_rng(2).integers(0, 60, (3, 4, 4), np.uint8).repeat(16, 0).repeat(16, 1)
    if encoded == "CMYK":
        Image.fromarray(inks, "CMYK").save("a.jpg", quality=100, icc_profile=ink_profile())
    else:
        data = imagecodecs.jpeg8_encode(255 - inks, level=100, colorspace="CMYK", outcolorspace="YCCK")
        segment = b"ICC_PROFILE\0\1\1" + ink_profile()
        segment = b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment
        Path("a.jpg").write_bytes(data[:2] + segment + data[2:])
    result = dpid("downscale", "a.jpg", "-s", "16", "-m", "box", "-o", "b.png", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    expected = by_pillow(Image.fromarray(inks[::16, ::16].copy(), "CMYK"), ink_profile())
    assert np.abs(pixels("b.png") - expected.astype(int)).max() <= 6
    assert name_of("b.png") == "sRGB built-in"


def checkerboard(dark, light, shape=(8, 8)) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    values = np.where(((x + y) % 2 == 0)[..., np.newaxis], dark, light)
    return values[..., 0] if values.shape[-1] == 1 else values


def test_checkerboard_by_the_command(dpid, folder):
    Image.fromarray(checkerboard([0], [255]).astype(np.uint8)).save("a.png")
    for options, level in (("", 128), ("--linear", 188)):
        dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.png", "--overwrite", *options.split())
        assert (pixels("b.png") == level).all()
    with Image.open("b.png") as image:
        assert image.text["Software"].endswith(": box linear") and "icc_profile" not in image.info


@pytest.mark.parametrize(
    ("profile", "dark", "light", "expected"),
    [
        (gray_profile(2.2), [0], [255], [255 * 0.5 ** (1 / 2.2)]),
        (gray_profile(1.0), [10], [31], [20.5]),
        (rgb_profile(P3, gamma=2.2), [255, 0, 0], [0, 0, 255], [186, 0, 186]),
        (rgb_profile(SRGB, transferfunction=table(srgb_light)), [0] * 3, [255, 255, 0], [188, 188, 0]),
        (icc.srgb(), [0] * 3, [255, 255, 0], [188, 188, 0]),
    ],
)
def test_light_is_that_of_the_profile(dpid, folder, profile, dark, light, expected):
    Image.fromarray(checkerboard(dark, light).astype(np.uint8)).save("a.png", icc_profile=profile)
    result = dpid("downscale", "a.png", "-s", "4", "-m", "box", "--linear", "-o", "b.png")
    assert (result.exit_code, result.stderr) == (0, "")
    assert np.abs(pixels("b.png").astype(float) - np.array(expected).squeeze()).max() <= 0.51
    with Image.open("b.png") as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize(("dtype", "full"), [("uint16", 65535), ("float32", 1)])
@pytest.mark.parametrize("options", [("--linear",), ("--to-srgb",), ("--to-srgb", "--linear")])
def test_deep_files(dpid, folder, dtype, full, options):
    profile = rgb_profile(ADOBE, gamma=2.0)
    tifffile.imwrite(
        "a.tif", checkerboard([0] * 3, [full] * 3).astype(dtype), photometric="rgb", iccprofile=profile
    )
    result = dpid("downscale", "a.tif", "-s", "4", "-m", "box", *options, "-o", "b.tif")
    assert (result.exit_code, result.stderr) == (0, "")
    encoded = 0.5 if "--linear" not in options else srgb_encoded(0.5) if "--to-srgb" in options else 0.5**0.5
    found = tifffile.imread("b.tif")
    assert found.dtype == dtype
    np.testing.assert_allclose(found / full, encoded, atol=1e-4)
    with tifffile.TiffFile("b.tif") as tiff:
        expected = icc.srgb() if "--to-srgb" in options else profile
        assert tiff.pages[0].tags[34675].value == expected


@pytest.mark.parametrize("profile", [PROFILES["Display P3"], PROFILES["Adobe RGB"]], ids=["P3", "Adobe"])
def test_means_of_light_are_means_of_xyz(profile):
    """Which is why pixels need not leave their own space."""
    deep = np.random.default_rng(9).integers(0, 65536, (40, 60, 3), np.uint16)

    def xyz(values):
        target = imagecodecs.cms_profile("xyz")
        return imagecodecs.cms_transform(
            np.ascontiguousarray(values / 65535),
            profile,
            target,
            colorspace="rgb",
            outcolorspace="xyz",
            outdtype="float64",
            intent=1,
        )

    small = downscale_picture(Picture(deep, False, profile, "tiff"), (15, 10), linear=True, method="box")
    means = xyz(deep).reshape(10, 4, 15, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(xyz(small.pixels), means, atol=3 / 65535)
    assert small.icc_profile == profile


@pytest.mark.parametrize("gamma", [None, 1.0, 1.8, 2.2, 3.0])
def test_every_level_comes_back(gamma):
    curve = {"transferfunction": table(srgb_light)} if gamma is None else {"gamma": gamma}
    curves = icc.tone_curves(rgb_profile(ADOBE, **curve), 3)
    transfer = interpolated(curves)
    levels = np.repeat(np.arange(-9, 70000, dtype=np.float32)[:, np.newaxis] / 65535, 3, axis=1)
    light = transfer.decode(levels)
    assert np.abs(transfer.encode(light) - levels).max() * 65535 < 0.1
    assert (np.diff(light, axis=0) > 0).all()
    inside = (levels >= 0) & (levels <= 1)
    expected = srgb_light(levels) if gamma is None else levels.clip(0) ** gamma
    assert np.abs(light - expected)[inside].max() < 3e-5


def test_curves_that_stand_still_or_fall():
    flat = table(lambda v: np.clip(1.5 * v - 0.2, 0, 1))
    curves = icc.tone_curves(rgb_profile(SRGB, transferfunction=flat), 3)
    transfer = interpolated(curves)
    ends = np.float32([[0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(transfer.encode(transfer.decode(ends)), ends)
    falling = table(lambda v: np.sin(2 * v))
    assert icc.tone_curves(rgb_profile(SRGB, transferfunction=falling), 3) is None


def test_light_of_look_up_tables_is_added_up_in_srgb(dpid, folder, noise):
    Image.fromarray(noise).save("a.png", icc_profile=cube_profile())
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "--linear", "-o", "b.png")
    assert result.exit_code == 0 and is_one_error_line(result.stderr)
    assert "its colour profile has no tone curves: converted to sRGB" in result.stderr
    light = srgb_light(by_pillow(Image.fromarray(noise), cube_profile()) / 255)
    expected = 255 * srgb_encoded(light.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3)))
    assert np.abs(pixels("b.png") - expected).max() <= 1.6  # of which 1 is in the conversion
    assert name_of("b.png") == "sRGB built-in"


def png_chunk(kind: bytes, *values: int) -> bytes:
    content = kind + struct.pack(f">{len(values)}I", *values)
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


WIDE = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
OF_SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


@pytest.mark.parametrize(
    ("gamma", "corners", "srgb", "told"),
    [
        (100000, (), False, 1.0),
        (55556, (), False, 1.8),
        (45455, WIDE, False, 2.2),
        (45455, (), False, None),
        (45455, OF_SRGB, False, None),
        (55556, WIDE, True, None),
        (0, (), False, None),
        (45455, (0,) * 8, False, None),
        (45455, (*OF_SRGB, 1), False, None),
    ],
)
@pytest.mark.parametrize("gray", [False, True])
def test_gamma_and_corners_of_a_png(dpid, folder, noise, gamma, corners, srgb, told, gray):
    """They become a profile: nothing else would carry them into other formats."""
    stream = io.BytesIO()
    Image.fromarray(noise[..., 0] if gray else noise).save(stream, "PNG")
    data = stream.getvalue()
    told_so = png_chunk(b"gAMA", gamma) + (png_chunk(b"cHRM", *corners) if corners else b"")
    if srgb:
        told_so += b"\0\0\0\1sRGB\0" + struct.pack(">I", zlib.crc32(b"sRGB\0"))
    Path("a.png").write_bytes(data[:33] + told_so + data[33:])
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.png")
    lines = ["a.png: its gamma (gAMA) of 0 is not usable: that of sRGB is used instead"] * (not gamma)
    if corners == (0,) * 8 and not gray:
        lines.append("a.png: its primaries (cHRM) are not usable: those of sRGB are used instead")
    assert (result.exit_code, result.stderr.splitlines()) == (0, lines)
    with Image.open("b.png") as image:
        profile = image.info.get("icc_profile")
    if told is None or (gray and profile is None):
        assert profile is None
        return
    assert profile[16:20] == (b"GRAY" if gray else b"RGB ")
    (curve, *_), half = icc.tone_curves(profile, 1 if gray else 3), 2048
    assert abs(curve[half] - 0.5**told) < 1e-4
    if corners:
        expected = opened(rgb_profile(P3, gamma=2.2)).profile
        assert np.allclose(opened(profile).profile.red_colorant, expected.red_colorant, atol=1e-3)


WRONG = {
    "cut": PROFILES["Adobe RGB"][:300],
    "short": b"profile",
    "of inks": ink_profile(),
    "of gray": gray_profile(2.2),
    "noise": np.random.default_rng(1).bytes(600),
    "empty": PROFILES["Adobe RGB"].replace(b"rTRC", b"none"),
    "of names": PROFILES["Adobe RGB"].replace(b"mntr", b"nmcl"),
}


@pytest.mark.parametrize("damage", WRONG)
def test_profiles_that_cannot_be_used(dpid, photo, noise, damage):
    Image.fromarray(noise).save("a.png", icc_profile=WRONG[damage])
    for options in ("--to-srgb",), ("--linear",), ("--to-srgb", "--linear"):
        for name in "photo", "a":
            result = dpid(
                "downscale", f"{name}.png", "-s", "2", "-o", f"{name}_.png", "--overwrite", *options
            )
            assert result.exit_code == 0
        assert result.stderr.startswith("a.png: its colour profile is damaged, or not one of these channels")
        assert is_one_error_line(result.stderr)
        np.testing.assert_array_equal(pixels("a_.png"), pixels("photo_.png"))
        with Image.open("a_.png") as image:
            assert "icc_profile" not in image.info


@pytest.mark.filterwarnings("ignore::dpid_cli.errors.DpidWarning")
def test_any_change_to_a_profile_gives_a_picture(noise):
    """Whatever LittleCMS makes of it."""
    rng = np.random.default_rng(11)
    for source in *PROFILES.values(), gray_profile(2.2), icc.srgb():
        for _ in range(20):
            changed = np.frombuffer(source, np.uint8).copy()
            changed[rng.integers(0, min(len(changed), 700), 4)] = rng.integers(0, 256, 4)
            picture = Picture(noise[:8, :8], False, changed.tobytes(), "png")
            for options in {"linear": True}, {"to_srgb": True}:
                assert downscale_picture(picture, (4, 4), method="bilinear", **options).size == (4, 4)


@pytest.mark.parametrize("extension", ["bmp", "gif", "jxl", "qoi", "tga"])
@pytest.mark.parametrize("primaries", [P3, ADOBE])
def test_converted_where_there_is_no_place_for_a_profile(dpid, folder, noise, primaries, extension):
    profile = rgb_profile(primaries, gamma=2.2)
    Image.fromarray(noise[:8, :8]).save("a.png", icc_profile=profile)
    result = dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", f"b.{extension}")
    title = FORMATS[extension].title
    told = f"b.{extension}: {title} cannot store colour profiles: colours are converted to sRGB\n"
    assert (result.exit_code, result.stderr) == (0, told)
    if extension != "jxl":  # which has losses
        found = dpid("downscale", f"b.{extension}", "-s", "1", "-m", "box", "-o", "c.png")
        assert found.exit_code == 0
        expected = by_pillow(Image.open("a.png"), profile)
        np.testing.assert_allclose(pixels("c.png").astype(int), expected, atol=1)


def test_gray_is_converted_where_only_colour_has_a_profile(dpid, folder, noise):
    Image.fromarray(noise[..., 0]).save("a.png", icc_profile=gray_profile(1.8))
    result = dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", "b.webp")
    assert result.stderr == "b.webp: WebP cannot store gray profiles: colours are converted to sRGB\n"
    with Image.open("b.webp") as image:
        assert image.info["icc_profile"] == icc.srgb()


def test_pixels_of_srgb_are_left_alone_where_the_profile_is(dpid, folder, noise):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save("a.png", icc_profile=profile)
    result = dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", "b.bmp")
    assert result.stderr == "b.bmp: BMP cannot store colour profiles: dropped\n"
    np.testing.assert_array_equal(pixels("b.bmp"), noise)


def test_frames_are_converted_alike_and_it_is_told_once(dpid, folder, noise):
    profile = rgb_profile(P3, gamma=2.2)
    flat = [Image.new("RGB", (6, 6), level) for level in ((250, 20, 30), (10, 240, 20))]
    flat[0].save("a.png", save_all=True, append_images=flat[1:], icc_profile=profile, duration=50)
    result = dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", "b.gif")
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    with Image.open("b.gif") as image:
        for number, frame in enumerate(flat):
            image.seek(number)
            found = np.asarray(image.convert("RGB"))
            np.testing.assert_allclose(found.astype(int), by_pillow(frame, profile), atol=1)
