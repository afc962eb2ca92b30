"""Files made to exhaust whoever reads them: refused or read quickly, in one line and little memory.

Damage by chance is in test_fuzz.py.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import PIL
import pytest
import tifffile
from PIL import Image

from dpid_cli.pictures import FORMATS
from support.command import DPID, ROOT, is_one_error_line, listing, pixels
from support.specimens import Told, chunk, files, noise, png, saved, tiff

LAUNCH = ROOT / "tests" / "benchmarks" / "launch.py"
SECONDS = 5  # of one processor, the start of the command included
MEMORY = 300 * 2**20  # of which a run that reads a small picture takes a third


def measured(*args: str) -> tuple[int, str, float, int]:
    """Exit code, standard error, seconds of processors and the most memory of a run of the command."""
    run = subprocess.run([sys.executable, LAUNCH, DPID, *args], capture_output=True, text=True, check=False)
    used = json.loads(run.stdout)
    return run.returncode, run.stderr, used["processor"], used["peak"]


def zeros(megabytes: int) -> bytes:
    """As many zeros, a thousandth as long."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def png_of(width: int, height: int, *chunks: bytes, bits: int = 8, interlaced: int = 0) -> bytes:
    """A PNG of gray with these chunks behind its header."""
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, interlaced)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *chunks, chunk(b"IEND", b"")])


PIXEL = chunk(b"IDAT", zlib.compress(b"\0\x80"))


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header is wrong."""
    data = bytearray(saved("JPEG")(noise("L"), Told()))
    place = data.find(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG of one gray, which takes it over and over."""
    stream = io.BytesIO()
    Image.new("L", (side, side), 128).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    return data[:-2] + data[data.rfind(b"\xff\xda") : -2] * count + b"\xff\xd9"


def tiff_of(width: int, height: int, compression: int, rows: int, length: int, count: int = 1) -> bytes:
    """A TIFF of gray without pixels."""
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
        (273, 4, count, 8), (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, count, length),
    ]  # fmt: skip
    return tiff_with(*entries)


def tiff_with(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + struct.pack("<I", following)


def bmp_of(width: int, height: int, compression: int, content: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, 0, 0, 0, 256, 0)
    return struct.pack("<2sIII", b"BM", 0, 0, 1078) + head + bytes(1024) + content


REFUSED = {
    "sides.png": (lambda: png_of(2**31 - 1, 2**31 - 1, PIXEL), "512 million pixels"),
    "sides.jpg": (lambda: jpeg_of(65500, 65500), "512 million pixels"),
    "sides.bmp": (lambda: bmp_of(2**31 - 1, -(2**31), 0, b""), "512 million pixels"),
    "sides.tif": (lambda: tiff_of(2**32 - 1, 2**32 - 1, 8, 1, 1), "512 million pixels"),
    "sides.ppm": (lambda: b"P6\n999999999 999999999\n255\n", "512 million pixels"),
    "sides.gif": (lambda: b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\0;", "512 million"),
    "digits.ppm": (lambda: b"P6\n" + b"9" * 10**6 + b" 1\n255\n", "too long"),
    "none.png": (lambda: png_of(0, 5, PIXEL), "begins as PNG, but its header is damaged"),
    "none.ppm": (lambda: b"P6 0 0 255\n", ""),
    "none.bmp": (lambda: bmp_of(0, 0, 0, b""), ""),
    "none.gif": (lambda: b"GIF89a\0\0\0\0\0\0\0;", ""),
    "none.tif": (lambda: tiff_of(0, 0, 1, 1, 1), ""),
    "none.jpg": (lambda: jpeg_of(0, 0), ""),
    "484-megapixels.png": (lambda: png_of(22000, 22000, PIXEL), "truncated"),
    "484-megapixels-interlaced.png": (lambda: png_of(22000, 22000, PIXEL, interlaced=1), "truncated"),
    "484-megapixels.jpg": (lambda: jpeg_of(22000, 22000), "cannot hold 22000 x 22000 pixels"),
    "484-megapixels.ppm": (lambda: b"P6 22000 22000 255\n" + bytes(999), "truncated"),
    "484-megapixels-in-words.ppm": (lambda: b"P3 22000 22000 255\n" + b"1 " * 999, "not enough"),
    "484-megapixels.bmp": (lambda: bmp_of(22000, 22000, 0, bytes(999)), "truncated"),
    "484-megapixels-runs.bmp": (lambda: bmp_of(22000, 22000, 1, b"\xff\7" * 99 + b"\0\1"), "not enough"),
    "484-megapixels-plain.tif": (lambda: tiff_of(22000, 22000, 1, 22000, 22000**2), "truncated"),
    "484-megapixels-strips.tif": (lambda: tiff_of(22000, 22000, 8, 1, 1), "damaged"),
    "strips-without-end.tif": (lambda: tiff_of(1, 5 * 10**8, 1, 1, 1, count=5 * 10**8), ""),
    "one-long-strip.tif": (lambda: tiff_of(5000, 5000, 8, 2**32 - 1, 2**32 - 1), "damaged"),
    "tags-without-end.tif": (lambda: tiff_with(*[(256, 4, 2**31, 8)] * 65535), ""),
    "directory-in-itself.tif": (lambda: tiff_with((256, 4, 1, 1), following=8), ""),
    "1000-scans.jpg": (lambda: scans(4000, 1000), "1006 scans of 4000 x 4000 pixels"),
    "comments.ppm": (lambda: b"P3 2 2 255 " + b"# x\n" * 300_000, "not enough"),
    "digit.ppm": (lambda: b"P3 2 2 255 " + b"1" * 10**7, "too long"),
}
GIF_FRAME = b"\x21\xf9\4\x08\1\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"  # a pixel that is shown for 10 ms


def gif_of(side: int, frames: int) -> bytes:
    head = struct.pack("<6sHHBBB6x", b"GIF89a", side, side, 0x80, 0, 0)
    return head + GIF_FRAME * frames + b";"


def icon_of(width: int, height: int) -> bytes:
    """An ICO with a PNG that is larger than icons are."""
    content = png_of(width, height, PIXEL)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(content), 22) + content


def pages_of(count: int, side: int) -> bytes:
    """A TIFF of pages without pixels."""
    single = tiff_of(side, side, 1, side, side**2)[8:-4]
    step = len(single) + 4
    return b"II*\0\x08\0\0\0" + b"".join(
        single + struct.pack("<I", 8 + (k + 1) * step if k < count - 1 else 0) for k in range(count)
    )


REFUSED |= {
    "484-megapixels.gif": (lambda: gif_of(22000, 1), "cannot hold 22000 x 22000 pixels"),
    "frames.gif": (lambda: gif_of(5, 100_000), "more than 10000 frames"),
    "canvas.gif": (lambda: gif_of(20000, 9000), "together"),
    "pages.tif": (lambda: pages_of(20_000, 1), "more than 10000 frames"),
    "pages-together.tif": (lambda: pages_of(9000, 20000), "together"),
    "484-megapixels.ico": (lambda: icon_of(22000, 22000), "truncated"),
    "sides.ico": (lambda: icon_of(2**31 - 1, 2**31 - 1), ""),
    "484-megapixels.tga": (
        lambda: struct.pack("<BBBxxxxxxxxxHHBB", 0, 0, 10, 22000, 22000, 24, 0) + bytes(99),
        "",
    ),
    "484-megapixels.qoi": (
        lambda: b"qoif" + struct.pack(">IIBB", 22000, 22000, 4, 0) + b"\xfd" * 99,
        "not enough" if PIL.__version__ >= "13" else "index out of range",
    ),
}
READ = {
    "pixels.png": lambda: png_of(1, 1, chunk(b"IDAT", zeros(128))),
    "profile.png": lambda: png_of(1, 1, chunk(b"iCCP", b"a\0\0" + zeros(128)), PIXEL),
    "text.png": lambda: png_of(1, 1, chunk(b"zTXt", b"a\0\0" + zeros(128)), PIXEL),
    "utf8.png": lambda: png_of(1, 1, chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(128)), PIXEL),
    "texts.png": lambda: png_of(1, 1, chunk(b"zTXt", b"a\0\0" + zeros(1)) * 999, PIXEL),
    "chunks.png": lambda: png_of(1, 1, chunk(b"tEXt", b"a\0b") * 30_000, PIXEL),
    "empty-pixels.png": lambda: png_of(1, 1, chunk(b"IDAT", b"") * 30_000, PIXEL),
    "scans.jpg": lambda: scans(200, 1000),
    "segments.jpg": lambda: (data := jpeg_of(20, 12))[:2] + b"\xff\xe1\0\x08Exif\0\0" * 30_000 + data[2:],
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_no_time(folder, name):
    make, told = REFUSED[name]
    Path(name).write_bytes(make())
    before = listing(folder)
    code, said, seconds, memory = measured("downscale", name, "-s", "4", "-m", "box")
    assert code == 1 and is_one_error_line(said) and told in said, said
    assert seconds < SECONDS and memory < MEMORY
    assert listing(folder) == before


@pytest.mark.parametrize("name", READ)
def test_read_in_no_time(folder, name):
    """A picture is there; what is beside it may be left out with a line."""
    Path(name).write_bytes(READ[name]())
    args = ("downscale", name, "-s", "1", "-m", "box", "-o", "out.png")
    code, said, seconds, memory = measured(*args)
    assert code == 0 and said.count("\n") <= 1 and "Traceback" not in said
    assert seconds < SECONDS and memory < MEMORY
    assert pixels("out.png").size


# What is cut off


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff", "bmp", "ppm", "gif", "avif"])
def test_every_beginning_of_a_file(dpid, folder, name):
    """Of whatever length: an error or a picture, and only one line."""
    data = files(name)[2]
    for length in {*range(0, 40), *range(0, len(data), max(len(data) // 25, 1))}:
        Path("cut").write_bytes(data[:length])
        for options in [], ["--truncated", "accept"]:
            args = ("downscale", "cut", "-s", "4", "-m", "box", "-o", "out.png", "--overwrite")
            result = dpid(*args, *options)
            assert result.exit_code in (0, 1) and result.stderr.count("\n") <= 1
            assert result.exit_code == 0 or is_one_error_line(result.stderr)


@pytest.mark.parametrize("name", ["png", "tiff", "bmp", "ppm"])
def test_nothing_that_is_cut_off_passes_for_whole(dpid, folder, name):
    """Where the format tells how much there should be."""
    encode = {"png": png, "tiff": tiff}.get(name) or saved({"bmp": "BMP", "ppm": "PPM"}[name])
    pixels_ = noise("RGB", 90, 70)
    data = encode(pixels_, Told())
    for length in range(len(data) // 3, len(data) - 20, len(data) // 9):
        Path("cut").write_bytes(data[:length])
        assert dpid("downscale", "cut", "-s", "4", "-m", "box", "-o", "out.png").exit_code == 1


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "RGB;16"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_what_there_is_of_a_compressed_tiff(dpid, folder, compression, mode, tile):
    """By strips or tiles: those that are whole are as they are in the whole file."""
    image = noise(mode, 64, 64) // 2 + 1
    if mode == "RGBA":
        image[..., 3] = 255
    layout = {"tile": tile} if tile else {"rowsperstrip": 16}
    data = tiff(image, Told(orientation=3), compression=compression, **layout)
    Path("cut.tif").write_bytes(data[: len(data) * 5 // 8])
    args = ("downscale", "cut.tif", "-s", "1", "-m", "box", "-o", "out.tif")
    assert dpid(*args).exit_code == 1
    result = dpid(*args, "--truncated", "accept")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1 and "blank" in result.stderr
    found = tifffile.imread("out.tif")[::-1, ::-1]
    assert found.dtype == image.dtype and found.shape[:2] == image.shape[:2]
    np.testing.assert_array_equal(found[:32, ..., :3], image[:32, ..., :3])
    assert not found[-16:, -16:].any()


@pytest.mark.parametrize("name", ["webp", "avif", "qoi", "jxl", "jp2", "heif", "tga", "ico"])
@pytest.mark.parametrize("mode", ["RGB", "RGB;16"])
def test_whether_a_part_shows_anything(dpid, folder, name, mode):
    """If not, the error does not let one hope that the option helps."""
    if mode == "RGB;16" and name not in ("jp2", "jxl"):
        pytest.skip("holds 8 bits")
    image = noise(mode, 70, 90)
    if mode == "RGB;16":
        encode = {"jp2": imagecodecs.jpeg2k_encode, "jxl": imagecodecs.jpegxl_encode}[name]
        data = bytes(encode(image, level=0))
    else:
        options = {"ico": {"sizes": [(70, 90)]}, "heif": {"quality": -1}}.get(name, {})
        data = saved({"jp2": "JPEG2000"}.get(name, name.upper()), **options)(image, Told())
    whole_only = name in ("webp", "avif", "qoi", "jxl") or mode == "RGB;16"
    hint = f"get a complete copy, as --truncated accept cannot decode part of {FORMATS[name].title}\n"
    for share in 0.4, 0.8:
        Path(f"cut.{name}").write_bytes(data[: int(share * len(data))])
        args = (
            "downscale",
            f"cut.{name}",
            "-s",
            "2",
            "-m",
            "box",
            "--depth",
            "8",
            "-o",
            "out.png",
            "--overwrite",
        )
        refused = dpid(*args)
        assert refused.exit_code == 1 and refused.stderr.endswith(": get a complete copy\n")
        result = dpid(*args, "--truncated", "accept")
        assert (result.exit_code, result.stderr.count("\n")) == (int(whole_only), 1)
        assert result.stderr.endswith(hint if whole_only else "missing pixels are blank\n")


def test_an_animation_of_which_a_part_shows_nothing(dpid, folder):
    frames = [Image.fromarray(noise("RGB", 70, 90, seed=seed)) for seed in range(3)]
    frames[0].save("a.webp", save_all=True, append_images=frames[1:], lossless=True)
    data = Path("a.webp").read_bytes()
    Path("a.webp").write_bytes(data[: len(data) // 4])
    result = dpid("downscale", "a.webp", "-s", "2", "-o", "b.webp", "--truncated", "accept")
    assert result.exit_code == 1 and result.stderr.endswith("--truncated accept cannot decode part of WebP\n")


HEADS = {
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDX", ""),
    "deep.png": (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1\x10", ""),
    "jpg": (b"\xff\xd8\xff", ""),
    "gif": (b"GIF89a", ""),
    "webp": (b"RIFF\x10\0\0\0WEBPVP8 ", ""),
    "bmp": (b"BMW is what this text begins with, and it goes on", ""),
    "tif": (b"II*\0", ""),
    "ppm": (b"P6 is no picture", ""),
    "avif": (b"\0\0\0\x18ftypavif\0\0\0\0avifmif1", "AVIF"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ""),
    "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n", ""),
    "jxl": (b"\xff\x0a", ""),
    "qoi": (b"qoif", ""),
    "ico": (b"\0\0\1\0", ""),
    "icns": (b"icns", ""),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("rest", [b"", b"and then something else altogether, " * 9])
def test_a_known_beginning_is_known(dpid, folder, name, rest):
    """Such a file is damaged; it is not told to be of another kind."""
    head, kind = HEADS[name]
    Path(f"a.{name}").write_bytes(head + rest)
    result = dpid("downscale", f"a.{name}", "-s", "2")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    assert "not an image" not in result.stderr
    assert "damaged" in result.stderr or "512 million pixels, the limit" in result.stderr
    assert not kind or f"it begins as {kind}, but its header is damaged: get a complete copy" in result.stderr


# What C libraries say


def test_libraries_do_not_speak_for_the_command(folder):
    """libtiff prints what it thinks of damaged files, past Python."""
    stream = io.BytesIO()
    Image.fromarray(noise("RGB", 60, 60)).save(stream, "TIFF", compression="tiff_lzw")
    data = stream.getvalue()
    Path("bad.tif").write_bytes(data[:8] + bytes(99) + data[107:])
    code, said, *_ = measured("downscale", "bad.tif", "-s", "4", "-o", "out.png")
    assert code == 1 and is_one_error_line(said) and said.startswith("bad.tif: ")


def test_bitmaps_in_words_are_read(dpid, folder):
    """With and without comments."""
    bits = noise("L") > 127
    words = "\n".join(" ".join(str(int(bit)) for bit in row) for row in bits)
    for number, text in enumerate((words, words.replace("\n", " # remark 1 1\n"))):
        Path("a.pbm").write_text(f"P1\n# {number}\n20 12\n{text}\n")
        assert dpid("downscale", "a.pbm", "-s", "1", "-m", "box", "-o", f"{number}.png").exit_code == 0
        np.testing.assert_array_equal(pixels(f"{number}.png"), np.where(bits, 0, 255))
