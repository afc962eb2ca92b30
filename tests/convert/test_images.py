"""What is read from files and written to them, against Pillow and closed forms."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from dpid_cli.downscaling import alpha
from dpid_cli.errors import DpidWarning, FileError
from dpid_cli.pictures import FORMATS, WRITTEN, Picture, read, write
from support.command import is_one_error_line, listing, pixels
from support.orientation import TURNED
from support.profiles import ink_profile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = {"webp": {"lossless": True, "exact": True}, "avif": {"quality": 100, "subsampling": "4:4:4"}}


def stored(image: Image.Image, kind: str, **options) -> io.BytesIO:
    """The image as Pillow writes it."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream


def written(picture: Picture, name: str) -> Image.Image:
    """The picture as dpid writes it and Pillow reads it."""
    stream = io.BytesIO()
    write(picture, stream, FORMATS[name], "out")
    return Image.open(stream)


def means(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 blocks, halves up."""
    blocks = values.reshape(values.shape[0] // 2, 2, values.shape[1] // 2, 2, *values.shape[2:])
    total = blocks.sum(axis=(1, 3), dtype=np.float64)
    return total / 4 if values.dtype.kind == "f" else ((total + 2) // 4).astype(values.dtype)


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif", "bmp", "ppm", "gif", "avif"])
def test_every_format_in_and_out(dpid, folder, extension):
    y, x = np.mgrid[:40, :60]
    smooth = np.stack([4 * x, 6 * y, 255 - 2 * x - 2 * y], axis=-1).astype(np.uint8)
    Image.fromarray(smooth).save(f"a.{extension}")
    result = dpid("downscale", f"a.{extension}", "-s", "2", "-m", "box")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open(f"a.{extension}") as before, Image.open(f"a_box_x2.{extension}") as after:
        assert before.format == after.format
        expected = means(np.array(before.convert("RGB")))
        error = np.abs(np.array(after.convert("RGB"), float) - expected)
    assert error.max() <= {"jpg": 6, "webp": 16, "avif": 6, "gif": 40}.get(extension, 0)
    assert error.mean() <= (8 if extension == "gif" else 2)


@pytest.mark.parametrize(
    ("mode", "kind", "same_as", "has_alpha"),
    [
        ("L", "PNG", "L", False),
        ("LA", "PNG", "LA", True),
        ("RGB", "PNG", "RGB", False),
        ("RGBA", "PNG", "RGBA", True),
        ("P", "PNG", "RGB", False),
        ("1", "PNG", "L", False),
        ("1", "TIFF", "L", False),
        ("1", "PPM", "L", False),
        ("CMYK", "TIFF", "RGB", False),
        ("CMYK", "JPEG", "RGB", False),
        ("YCbCr", "JPEG", "RGB", False),
        ("RGBA", "WEBP", "RGBA", True),
        ("RGBA", "TIFF", "RGBA", True),
        ("P", "GIF", "RGB", False),
        ("L", "AVIF", "RGB", False),
    ],
)
def test_modes_are_read_as_what_they_show(noise, mode, kind, same_as, has_alpha):
    image = Image.fromarray(noise)
    if has_alpha:
        image.putalpha(Image.fromarray(noise[..., 0]))
    stream = stored(image.convert(mode), kind, **LOSSLESS.get(kind.lower(), {}))
    picture = read(stream, "a")
    expected = np.array(Image.open(stream).convert(same_as))
    np.testing.assert_array_equal(picture.pixels, expected)
    assert (picture.alpha, picture.size) == (has_alpha, (60, 40))


@pytest.mark.parametrize(
    ("image", "options", "shown"),
    [
        (Image.new("P", (4, 4), 7), {"transparency": 7}, (0, 0, 0, 0)),
        (Image.new("P", (4, 4), 1), {"transparency": bytes([255, 90])}, (0, 0, 0, 90)),
        (Image.new("L", (4, 4), 9), {"transparency": 9}, (9, 0)),
        (Image.new("L", (4, 4), 9), {"transparency": 8}, (9, 255)),
        (Image.new("1", (4, 4), 1), {"transparency": 1}, (255, 0)),
        (Image.new("RGB", (4, 4), (1, 2, 3)), {"transparency": (1, 2, 3)}, (1, 2, 3, 0)),
    ],
)
def test_transparent_colours_become_alpha(image, options, shown):
    if image.mode == "P":
        image.putpalette([0] * 768)
    picture = read(stored(image, "PNG", **options), "a")
    assert picture.alpha and (picture.pixels == shown).all()


def test_first_frame_of_an_animation(dpid, folder):
    frames = [Image.new("L", (8, 8), level) for level in (50, 200)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    assert dpid("downscale", "a.gif", "-s", "2", "-o", "a.png").exit_code == 0
    assert (pixels("a.png") == 50).all()


@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_16_bits_survive(dpid, folder, extension):
    deep = np.random.default_rng(3).integers(0, 65536, (20, 30), np.uint16)
    Image.fromarray(deep).save(f"a.{extension}")
    result = dpid("downscale", f"a.{extension}", "-s", "2", "-m", "box")
    assert (result.exit_code, result.stderr) == (0, "")
    np.testing.assert_array_equal(pixels(f"a_box_x2.{extension}"), means(deep))


def test_floats_survive(dpid, folder):
    values = np.random.default_rng(4).random((20, 30), np.float32)
    Image.fromarray(values).save("a.tif")
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box").exit_code == 0
    assert pixels("a_box_x2.tif").dtype == np.float32
    np.testing.assert_allclose(pixels("a_box_x2.tif"), means(values), rtol=1e-6)


def test_depth_that_is_lost_is_not_lost_silently():
    with pytest.warns(DpidWarning, match=r"^deep: more than 8 bits .* 8 bits$"):
        picture = read(io.BytesIO(b"P3 1 1 65535\n65535 257 0\n"), "deep")
    assert (picture.pixels == (255, 1, 0)).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNED)
def test_orientation_is_applied(noise, kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    picture = read(stored(Image.fromarray(noise), kind, exif=exif, **LOSSLESS.get(kind.lower(), {})), "a")
    np.testing.assert_array_equal(picture.pixels, TURNED[orientation](noise))


def test_orientation_through_the_command(dpid, folder, noise):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(noise).save("a.jpg", exif=exif)
    dpid("downscale", "a.jpg", "--width", "20", "-m", "box", "-o", "b.jpg")
    with Image.open("b.jpg") as image:  # 40 x 60 upright
        assert image.size == (20, 30) and image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("name", WRITTEN)
def test_profile_is_kept_or_its_loss_told(noise, name):
    picture = Picture(noise[..., 0] if name == "pgm" else noise, False, SRGB, "png")
    if FORMATS[name].profile:
        stream = io.BytesIO()
        write(picture, stream, FORMATS[name], "out")
        assert read(stream, "a").icc_profile == SRGB
        if name != "jp2":  # of which Pillow reads none
            assert Image.open(stream).info["icc_profile"] == SRGB
    else:
        with pytest.warns(DpidWarning, match=r"^out: [\w ]+ cannot store colour profiles: dropped$"):
            assert written(picture, name).info.get("icc_profile") != SRGB  # JPEG XL makes one of its own


def test_profile_of_gray_is_not_put_on_colours(noise):
    gray = SRGB[:16] + b"GRAY" + SRGB[20:]
    picture = Picture(noise[..., 0], False, gray, "png")
    assert written(picture, "png").info["icc_profile"] == gray
    with pytest.warns(DpidWarning, match="WebP cannot store gray profiles"):
        assert "icc_profile" not in written(picture, "webp").info


def test_cmyk_goes_through_its_profile(dpid, folder):
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    cyan.save("plain.jpg", quality=100)
    cyan.save("inked.jpg", quality=100, icc_profile=ink_profile())
    # Profiles that say nothing about inks: one of RGB, one without tables, one cut off.
    cyan.save("wrong.jpg", quality=100, icc_profile=SRGB)
    cyan.save("empty.jpg", quality=100, icc_profile=ink_profile().replace(b"A2B0", b"none"))
    cyan.save("cut.jpg", quality=100, icc_profile=ink_profile()[:100])
    for name in "plain", "inked", "wrong", "empty", "cut":
        result = dpid("downscale", f"{name}.jpg", "-s", "2", "-o", f"{name}.png")
        assert (result.exit_code, result.stderr) == (0, "")
        colour = (255, 0, 0) if name == "inked" else (0, 255, 255)
        assert np.abs(pixels(f"{name}.png") - np.array(colour)).max() <= 10, name
        with Image.open(f"{name}.png") as image:
            assert ("icc_profile" in image.info) == (name == "inked")


def disc(background: int) -> np.ndarray:
    """An orange disc with a soft rim; what is transparent hides `background`."""
    y, x = np.mgrid[:64, :64] - 31.5
    opacity = np.clip(25 - np.hypot(x, y), 0, 1)
    result = np.full((64, 64, 4), background, np.uint8)
    result[opacity > 0, :3] = 250, 120, 10
    result[..., 3] = np.round(opacity * 255)
    return result


# Per-channel weights and clipped overshoots shift colours a little where alpha varies; joint weights do not.
@pytest.mark.parametrize(
    ("options", "shift"),
    [
        ("-s 4", 2),
        ("-s 1.7", 2),
        ("-s 4 -m box", 2),
        ("-s 4 -m max", 2),
        ("-s 4 -m dpp", 12),
        ("-s 4 -m lanczos", 12),
    ],
)
def test_hidden_colours_do_not_bleed(dpid, folder, options, shift):
    for background in 0, 255:
        Image.fromarray(disc(background)).save(f"{background}.png")
        args = ("downscale", f"{background}.png", "-o", f"out{background}.png")
        assert dpid(*args, *options.split()).exit_code == 0
    on_black, on_white = (pixels(f"out{background}.png").astype(int) for background in (0, 255))
    assert np.abs(on_black - on_white).max() <= 1
    visible = on_black[..., 3] > 64
    assert visible.any() and not visible.all()
    assert np.abs(on_black[visible][:, :3] - (250, 120, 10)).max() <= shift  # no halo


@pytest.mark.parametrize("channels", [1, 3])
def test_opaque_alpha_changes_nothing(dpid, folder, noise, channels):
    plain = Image.fromarray(noise if channels == 3 else noise[..., 0])
    plain.save("plain.png")
    plain.putalpha(255)
    plain.save("opaque.png")
    for name in "plain", "opaque":
        dpid("downscale", f"{name}.png", "-s", "2.3", "-o", f"{name}_.png")
    opaque = pixels("opaque_.png")
    assert (opaque[..., -1] == 255).all()
    np.testing.assert_array_equal(opaque[..., :-1].squeeze(), pixels("plain_.png"))


def test_premultiplying_every_colour_and_back():
    a, v = np.mgrid[:256, :256]
    straight = np.stack([v, a], axis=-1).astype(np.uint8)
    product = alpha.premultiply(straight)
    np.testing.assert_allclose(product[..., 0], v * a * 65535 / 255**2, atol=0.51)
    np.testing.assert_array_equal(product[..., 1], a * 257)
    back = alpha.unpremultiply(product)
    np.testing.assert_array_equal(back[1:], straight[1:])
    assert not back[0].any()


OPAQUE = np.full((4, 4, 4), 255, np.uint8)
CLEAR = OPAQUE // 2


@pytest.mark.parametrize(
    ("pixels", "has_alpha", "name", "able"),
    [
        (CLEAR, True, "jpeg", "transparency: write PNG, WebP, TIFF, GIF, AVIF, JPEG 2000"),
        (CLEAR, True, "bmp", "transparency: write PNG, WebP, TIFF, GIF, AVIF, JPEG 2000"),
        (CLEAR[..., :2], True, "ppm", "transparency: write PNG, TIFF, JPEG 2000, TGA or JPEG XL"),
        (
            CLEAR[..., 0].astype(np.uint16),
            False,
            "webp",
            "16 bits: write PNG, TIFF, PPM, PGM, JPEG",
        ),
        (CLEAR[..., 0].astype(np.float32), False, "png", "floating point: write TIFF"),
        (
            CLEAR[..., :3],
            False,
            "pgm",
            "colour: write PNG, JPEG, WebP, TIFF, BMP, PPM, GIF, AVIF",
        ),
        (np.zeros((1, 16384), np.uint8), False, "webp", "at most 16383 pixels a side: write PNG, JPEG"),
        (np.zeros((65501, 1), np.uint8), False, "jpeg", "at most 65500 pixels a side: write PNG, TIFF"),
        (np.zeros((1, 65536), np.uint8), False, "gif", "at most 65535 pixels a side: write PNG, TIFF"),
        (np.zeros((1, 32769), np.uint8), False, "avif", "at most 32768 pixels a side: write PNG, JPEG"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(pixels, has_alpha, name, able):
    with pytest.raises(FileError, match=rf"^out: {FORMATS[name].title} (cannot store|stores) {able}"):
        written(Picture(pixels, has_alpha, None, "png"), name)


@pytest.mark.parametrize(
    ("name", "side"), [("webp", 16383), ("jpeg", 65500), ("gif", 65535), ("avif", 32768)]
)
def test_the_longest_side_that_a_format_holds_works(name, side):
    image = written(Picture(np.zeros((1, side), np.uint8), False, None, "png"), name)
    image.load()
    assert image.size == (side, 1)


@pytest.mark.parametrize(("name", "mode"), [("jpeg", "RGB"), ("bmp", "RGB"), ("ppm", "RGB")])
def test_alpha_that_hides_nothing_may_be_left_out(name, mode):
    image = written(Picture(OPAQUE, True, None, "png"), name)
    assert image.mode == mode and np.array(image).min() >= 254


def test_refusal_through_the_command_writes_nothing(dpid, folder):
    Image.fromarray(disc(0)).save("a.png")
    before = listing(folder)
    result = dpid("downscale", "a.png", "-s", "2", "-o", "a.jpg")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert "JPEG cannot store transparency" in result.stderr and listing(folder) == before
