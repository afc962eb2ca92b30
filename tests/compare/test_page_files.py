"""Files that the page of one's own image opens and saves, against Pillow and the command."""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from dpid_cli.compare.workbench import page as workbench_page
from dpid_cli.pictures import read
from support.chromium import asked, opened
from support.engine import random_image
from support.orientation import TURNED

ORIENTATION = 0x0112
# Of an interlaced image: left and upper edge, and distances between columns and rows.
PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "dpid.html"
    path.write_text(workbench_page(), encoding="utf-8")
    with opened(browser, path.as_uri()) as shown:
        yield shown


def pixels_in(page, path: Path) -> np.ndarray:
    """What the page reads from a file."""
    facts = asked(page, {}, path)
    assert "error" not in facts, facts
    size = [facts["width"], facts["height"]]
    answer = asked(page, {"image": facts["image"], "size": size, "method": "box"})
    pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8)
    shape = (*size[::-1], facts["channels"]) if facts["channels"] > 1 else size[::-1]
    return pixels.reshape(shape)


def read_by_command(path: Path) -> np.ndarray:
    with path.open("rb") as stream:
        return read(stream, path.name).pixels


def visible(pixels: np.ndarray) -> np.ndarray:
    """Pixels without the colours that alpha 0 hides, which outputs do not keep."""
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        return pixels * (pixels[..., -1:] > 0)
    return pixels


def chunk(name: bytes, content: bytes) -> bytes:
    ends = name + content
    return len(content).to_bytes(4, "big") + ends + zlib.crc32(ends).to_bytes(4, "big")


def png_of(
    rows: bytes, size: tuple[int, int], bits: int, kind: int, *others: bytes, interlace: int = 0
) -> bytes:
    header = b"".join(side.to_bytes(4, "big") for side in size) + bytes([bits, kind, 0, 0, interlace])
    parts = chunk(b"IHDR", header), *others, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pngs_of_pillow(page, folder, mode):
    rng = np.random.default_rng(len(mode))
    image = Image.fromarray(random_image(rng, 23, 37, 3))
    if mode.endswith("A"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray(rng.integers(0, 256, (23, 37), np.uint8)))
    image.convert(mode).save("image.png")
    wanted = read_by_command(folder / "image.png")
    assert np.array_equal(pixels_in(page, folder / "image.png"), visible(wanted))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [0, 3])
@pytest.mark.parametrize("transparent", [False, True])
def test_pngs_of_few_bits(page, folder, bits, kind, transparent):
    width, height = 19, 11
    stride = -(-width * bits // 8)
    rng = np.random.default_rng(bits)
    rows = b"".join(b"\0" + rng.integers(0, 256, stride, np.uint8).tobytes() for _ in range(height))
    palette = chunk(b"PLTE", rng.integers(0, 256, 3 << bits, np.uint8).tobytes()) if kind == 3 else b""
    entries = (b"\0\x40" if kind == 3 else b"\0\1") if transparent else b""
    others = (palette, chunk(b"tRNS", entries) if transparent else b"")
    (folder / "few.png").write_bytes(png_of(rows, (width, height), bits, kind, *others))
    wanted = read_by_command(folder / "few.png")
    if kind == 0 and transparent and bits in (2, 4):  # Pillow compares the raw number with scaled levels
        with Image.open(folder / "few.png") as image:
            levels = np.asarray(image.convert("L"))
        wanted = np.dstack([levels, np.where(levels == 255 // ((1 << bits) - 1), 0, 255).astype(np.uint8)])
    assert np.array_equal(pixels_in(page, folder / "few.png"), visible(wanted))


def test_interlaced_pngs(page, folder):
    image = random_image(np.random.default_rng(4), 21, 13, 3)
    rows = b""
    for left, top, across, down in PASSES:
        rows += b"".join(b"\0" + row.tobytes() for row in image[top::down, left::across])
    (folder / "passes.png").write_bytes(png_of(rows, (13, 21), 8, 2, interlace=1))
    assert np.array_equal(read_by_command(folder / "passes.png"), image)
    assert np.array_equal(pixels_in(page, folder / "passes.png"), image)


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_turns(page, folder, suffix, orientation):
    image = random_image(np.random.default_rng(orientation), 16, 24, 3)
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    path = folder / f"turned.{suffix}"
    Image.fromarray(image).save(
        path, exif=tags, **({"quality": 100, "subsampling": 0} if suffix == "jpg" else {})
    )
    seen = pixels_in(page, path)
    wanted = read_by_command(path)
    assert np.array_equal(seen, wanted)
    assert suffix == "jpg" or np.array_equal(seen, TURNED[orientation](image))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"quality": 95, "subsampling": 0}),
        ("RGB", {"quality": 80, "subsampling": 2}),
        ("RGB", {"quality": 80, "subsampling": 1, "progressive": True}),
        ("L", {"quality": 85}),
    ],
)
def test_jpegs_have_the_pixels_of_the_command(page, folder, mode, options):
    smooth = Image.fromarray(random_image(np.random.default_rng(6), 30, 45, 3)).resize((90, 60))
    smooth.convert(mode).save("photo.jpg", **options)
    assert np.array_equal(pixels_in(page, folder / "photo.jpg"), read_by_command(folder / "photo.jpg"))


def test_lossless_webps(page, folder):
    image = random_image(np.random.default_rng(2), 30, 45, 3)
    Image.fromarray(image).save("image.webp", lossless=True)
    assert np.array_equal(pixels_in(page, folder / "image.webp"), image)


def test_the_browser_rounds_colours_of_other_transparent_files(page, folder):
    rng = np.random.default_rng(2)
    image = np.dstack([random_image(rng, 30, 45, 3), rng.integers(0, 256, (30, 45), np.uint8)])
    Image.fromarray(image).save("image.webp", lossless=True, exact=True)
    seen = pixels_in(page, folder / "image.webp").astype(float)
    assert np.array_equal(seen[..., 3], image[..., 3])
    assert np.abs((seen - image)[..., :3] * image[..., 3:] / 255).max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_saved_pngs_are_read_by_pillow(page, folder, channels):
    pixels = random_image(np.random.default_rng(channels), 33, 47, channels)
    Image.fromarray(pixels).save("image.png")
    facts = asked(page, {}, folder / "image.png")
    answer = asked(page, {"image": facts["image"], "size": [47, 33], "method": "box", "png": True})
    with Image.open(io.BytesIO(base64.b64decode(answer["png"]))) as saved:
        assert np.array_equal(np.asarray(saved), visible(pixels))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_colour_profiles_are_saved(page, folder, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(random_image(np.random.default_rng(1), 20, 20, 3)).save(
        f"image.{suffix}", icc_profile=profile
    )
    facts = asked(page, {}, folder / f"image.{suffix}")
    answer = asked(page, {"image": facts["image"], "size": [5, 5], "method": "dpid", "png": True})
    with Image.open(io.BytesIO(base64.b64decode(answer["png"]))) as saved:
        assert saved.info["icc_profile"] == profile


def test_files_that_cannot_be_read_are_refused_in_a_sentence(page, folder):
    Image.fromarray(random_image(np.random.default_rng(1), 40, 40, 3)).save("good.png")
    good = (folder / "good.png").read_bytes()
    huge = png_of(b"", (40000, 40000), 8, 2)
    short = png_of(b"\0" * 50, (40, 40), 8, 2)
    bomb = png_of(b"\0" * 5_000_000, (4, 4), 8, 0)
    unknown = "this browser cannot read it as an image: use a PNG, JPEG or WebP"
    files = {
        "text.png": (b"no image", unknown),
        "empty.jpg": (b"", unknown),
        "cut.png": (good[: len(good) // 2], "it is truncated: open another file"),
        "wrong.png": (good[:60] + b"!" + good[61:], "its chunk IDAT has a wrong checksum: open another file"),
        "huge.png": (huge, "it has more than 64 million pixels, the limit here: use dpid downscale"),
        "short.png": (short, "it is truncated: open another file"),
    }
    for name, (content, message) in files.items():
        (folder / name).write_bytes(content)
        assert asked(page, {}, folder / name)["error"] == f"{name}: {message}"
    (folder / "bomb.png").write_bytes(bomb)
    assert (pixels_in(page, folder / "bomb.png") == 0).all()


def test_a_note_says_that_16_bits_become_8(page, folder):
    values = np.random.default_rng(1).integers(0, 65536, (20, 30), np.uint16)
    Image.fromarray(values).save("deep.png")
    facts = asked(page, {}, folder / "deep.png")
    assert (facts["width"], facts["height"]) == (30, 20) and "16 bits" in facts["note"]
