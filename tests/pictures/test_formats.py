"""The formats beside the common ones: what goes in and out, what they keep, and what is never opened."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.ExifTags import Base

import dpid_cli
from dpid_cli.errors import collected
from dpid_cli.pictures import FORMATS, WRITTEN, Metadata, Picture, read, write
from dpid_cli.pictures.codecs import jxl
from support.command import DPID, ROOT, is_one_error_line, listing, pixels, process

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a b="c"/></x:xmpmeta>'
EXTRAS = [f.name for f in FORMATS.values() if f.package]
LOSSY = {"heif": 4, "jxl": 16, "jpeg": 4, "webp": 16, "avif": 4, "gif": 24}


def smooth(mode: str) -> np.ndarray:
    """A picture that lossy encoders keep well."""
    y, x = np.mgrid[:40, :60]
    bands = {"R": 4 * x, "G": 6 * y, "B": 255 - 2 * x - 2 * y, "L": 2 * x + 3 * y, "A": 255 - 3 * x}
    pixels = np.stack([bands[band] for band in mode], axis=-1).astype(np.uint8)
    return pixels[..., 0] if mode == "L" else pixels


def exif(orientation: int = 1) -> bytes:
    tags = Image.Exif()
    tags[Base.Make], tags[Base.Orientation] = "Camera", orientation
    tags.get_ifd(0x8769)[Base.DateTimeOriginal] = "2020:02:02 20:20:20"
    return tags.tobytes()


def encoded(picture: Picture, name: str) -> io.BytesIO:
    stream = io.BytesIO()
    write(picture, stream, FORMATS[name], "out")
    return stream


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("name", WRITTEN)
def test_every_mode_of_every_format(name, mode):
    """What a format does not hold becomes a mode that shows the same."""
    if name == "pgm" and mode != "L":
        pytest.skip("which holds gray alone")
    pixels = smooth(mode)
    if "A" in mode and not any("A" in able for able in FORMATS[name].modes):
        pixels[..., -1] = 255
    found = read(encoded(Picture(pixels, "A" in mode, None, "png"), name), f"a.{name}")
    expected = np.asarray(Image.fromarray(pixels).convert("RGBA")).astype(int)
    shown = np.asarray(Image.fromarray(found.pixels).convert("RGBA")).astype(int)
    assert found.format == name or (name, found.format) == ("ppm", "pgm")
    if name == "gif" and "A" in mode:
        np.testing.assert_array_equal(shown[..., 3], 255 * (expected[..., 3] >= 128))
        visible = shown[..., 3] > 0
        assert np.abs(shown - expected)[visible][:, :3].mean() < 4
        return
    np.testing.assert_allclose(shown[..., 3], expected[..., 3], atol=LOSSY.get(name, 0))
    difference = np.abs(shown - expected)[..., :3] * expected[..., 3:] / 255
    assert difference.max() <= (3 * LOSSY[name] if name in LOSSY else 0)


@pytest.mark.parametrize("name", ["jp2", "tga", "qoi", "ico", "heif", "jxl"])
def test_through_the_command(dpid, folder, name):
    extension = FORMATS[name].extensions[0]
    Image.fromarray(smooth("RGB")).save("a.png")
    assert dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", f"a{extension}").exit_code == 0
    result = dpid("downscale", f"a{extension}", "-s", "2", "-m", "box")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"a_box_x2{extension}\n", "")
    found = read(io.BytesIO(Path(f"a_box_x2{extension}").read_bytes()), f"a{extension}").pixels[..., :3]
    expected = dpid_cli.downscale(smooth("RGB"), scale=2, method="box")
    assert np.abs(found.astype(int) - expected).max() <= 2 * LOSSY.get(name, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_jpeg_2000_by_another_reader(mode):
    content = encoded(Picture(smooth(mode), mode == "RGBA", SRGB, "png", DESCRIBED), "jp2").getvalue()
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    expected = smooth(mode) if mode == "L" else smooth(mode)[..., [2, 1, 0, 3][: len(mode)]]
    np.testing.assert_array_equal(found, expected)


def test_16_bits_of_a_jpeg_2000(dpid, folder):
    deep = np.random.default_rng(3).integers(0, 65536, (20, 30), np.uint16)
    Image.fromarray(deep).save("a.jp2")
    assert dpid("downscale", "a.jp2", "-s", "2", "-m", "box").exit_code == 0
    np.testing.assert_array_equal(pixels("a_box_x2.jp2"), dpid_cli.downscale(deep, scale=2, method="box"))


def test_code_streams_of_jpeg_2000(dpid, folder):
    Image.fromarray(smooth("RGB")).save("a.j2k")
    assert dpid("downscale", "a.j2k", "-s", "2").stdout == "a_dpid_x2.jp2\n"
    assert dpid("downscale", "a.j2k", "-s", "2", "-o", "b.j2k").exit_code == 2


DESCRIBED = Metadata(exif=exif(), xmp=XMP, dpi=(300.0, 72.5), comment=b"a remark", software="maker")


@pytest.mark.parametrize("name", ["jp2", "heif", "jxl", "tga", "qoi", "ico"])
def test_what_describes_a_picture_is_kept(name):
    format_ = FORMATS[name]
    profile = SRGB if format_.profile else None
    with collected() as lost:
        content = encoded(Picture(smooth("RGB"), False, profile, "png", DESCRIBED), name)
    found = read(content, f"a.{name}")
    what = "EXIF, XMP, resolution, comment"
    expected = [] if "exif" in format_.metadata else [f"out: {format_.title} cannot store {what}: dropped"]
    assert lost == expected
    if format_.profile:
        assert found.icc_profile == SRGB
    if "exif" in format_.metadata:
        tags = Image.Exif()
        tags.load(found.metadata.exif)
        assert (tags[Base.Make], tags[Base.Software]) == ("Camera", "maker")
        assert tags.get_ifd(0x8769)[Base.DateTimeOriginal] == "2020:02:02 20:20:20"
    else:
        assert not found.metadata.exif
    assert found.metadata.xmp == (XMP if "xmp" in format_.metadata else b"")
    assert found.metadata.comment == (b"a remark" if "comment" in format_.metadata else b"")
    dpi = (300, 72.5) if format_.metadata & {"dpi", "exif"} else None
    assert found.metadata.dpi == (pytest.approx(dpi, abs=0.01) if dpi else None)


def packed_jxl(damage: bool = False) -> io.BytesIO:
    """EXIF and XMP in boxes packed by Brotli, as cjxl writes them."""
    import pillow_jxl  # noqa: F401

    stream = io.BytesIO()
    options = {"compress_metadata": True, "use_container": True}
    Image.fromarray(smooth("RGB")).save(stream, "JXL", exif=exif(), xmp=XMP, **options)
    data = stream.getvalue()
    assert data.count(b"brobExif") == data.count(b"brobxml ") == 1
    if damage:
        for place in (data.index(b"brobExif") + 10, data.index(b"brobxml ") + 10):
            data = data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :]
    return io.BytesIO(data)


def test_packed_remarks_of_a_jpeg_xl():
    found = read(packed_jxl(), "a").metadata
    tags = Image.Exif()
    tags.load(found.exif)
    assert tags[Base.Make] == "Camera" and found.xmp == XMP


def test_packed_remarks_that_are_damaged_are_told_of():
    with collected() as lost:
        found = read(packed_jxl(damage=True), "a")
    assert lost == ["a: its text or other metadata is damaged or too long: dropped"]
    assert (found.metadata.exif, found.metadata.xmp) == (b"", b"") and found.pixels.shape == (40, 60, 3)


@pytest.mark.parametrize("dpi", [(1.0, 65535.0), (72.0, 72.0), (299.72, 1200.5)])
def test_resolution_of_a_jpeg_2000(dpi):
    stream = encoded(Picture(smooth("L"), False, None, "png", Metadata(dpi=dpi)), "jp2")
    with Image.open(stream) as image:
        assert image.info["dpi"] == pytest.approx(dpi, rel=1e-4)
    assert read(stream, "a").metadata.dpi == pytest.approx(dpi, abs=0.02)


@pytest.mark.parametrize("name", ["heif", "jxl", "jp2"])
def test_orientation_is_applied_once(name):
    """HEIF as phones write it; in JPEG XL that of EXIF does not count."""
    import pillow_heif
    import pillow_jxl  # noqa: F401

    pillow_heif.register_heif_opener()
    stream = io.BytesIO()
    if name == "jp2":
        metadata = Metadata(exif=exif(6))
        write(Picture(smooth("RGB"), False, None, "png", metadata), stream, FORMATS["jp2"], "a")
    else:
        Image.fromarray(smooth("RGB")).save(stream, name.upper(), quality=95, exif=exif(6))
    turned = name == "heif"
    picture = read(stream, "a")
    expected = np.rot90(smooth("RGB"), -1) if turned else smooth("RGB")
    if name != "jp2":
        assert np.abs(picture.pixels.astype(int) - expected).mean() < 4
    tags = Image.Exif()
    tags.load(picture.metadata.exif)
    assert tags[Base.Make] == "Camera" and Base.Orientation not in tags


def test_a_jpeg_in_a_jpeg_xl_is_turned(folder):
    import pillow_jxl  # noqa: F401

    Image.fromarray(smooth("RGB")).save("a.jpg", quality=95, exif=exif(6))
    with Image.open("a.jpg") as image, pytest.warns(UserWarning, match="reconstruction"):
        image.save("a.jxl")
    picture = read(io.BytesIO(Path("a.jxl").read_bytes()), "a")
    assert np.abs(picture.pixels.astype(int) - np.rot90(smooth("RGB"), -1)).mean() < 4


@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (256, 256), (60, 40), (513, 77), (40, 8200), (96, 80), (1920, 1080)]
)
@pytest.mark.parametrize("container", [False, True])
def test_the_header_of_a_jpeg_xl_tells_its_size(size, container):
    import pillow_jxl  # noqa: F401

    stream = io.BytesIO()
    Image.new("L", size).save(stream, "JXL", use_container=container)
    stream.seek(0)
    assert jxl.read_header(stream) == jxl.Header(size)


def test_a_jpeg_xl_is_not_decoded_where_it_is_too_large(dpid, folder, monkeypatch):
    import pillow_jxl

    Image.new("L", (300, 200)).save("a.jxl")
    monkeypatch.setattr("pillow_jxl.JpegXLImagePlugin.Decoder", None)
    assert pillow_jxl is not None
    result = dpid("downscale", "a.jxl", "-s", "2", "--max-pixels", "59k")
    assert result.exit_code == 1 and "more than 59000 pixels" in result.stderr


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint8, 4), (np.uint16, 16)])
def test_frames_that_are_not_read_are_told_of(dpid, folder, dtype, bits):
    frames = np.random.default_rng(1).integers(0, 2**bits, (3, 64, 80, 3)).astype(dtype)
    Path("a.jxl").write_bytes(imagecodecs.jpegxl_encode(frames, lossless=True, bitspersample=bits))
    result = dpid("downscale", "a.jxl", "-s", "1", "-m", "nearest", "-o", "jxl.tif")
    assert result.exit_code == 0
    assert result.stderr == "a.jxl: an animation, of which only the first frame is read\n"
    np.testing.assert_array_equal(tifffile.imread("jxl.tif"), frames[0] * (17 if bits == 4 else 1))
    if bits == 8:
        import pillow_heif

        images = pillow_heif.from_pillow(Image.fromarray(frames[0]))
        images.add_from_pillow(Image.fromarray(frames[1]))
        images.save("a.heic")
        result = dpid("downscale", "a.heic", "-s", "2", "-o", "heic.png")
        assert result.stderr == "a.heic: 2 images, of which only the main one is read\n"


@pytest.mark.parametrize(("kind", "side"), [("ICO", 256), ("ICNS", 1024)])
def test_the_largest_image_of_an_icon(kind, side):
    stream = io.BytesIO()
    largest = np.random.default_rng(1).integers(0, 256, (side, side, 4), np.uint8)
    Image.fromarray(largest).save(stream, kind)
    np.testing.assert_array_equal(read(stream, "a").pixels, largest)


def test_what_is_only_read_becomes_png(dpid, folder):
    Image.new("RGBA", (64, 64), (1, 2, 3, 255)).save("a.icns")
    assert dpid("downscale", "a.icns", "-s", "2").stdout == "a_dpid_x2.png\n"
    assert dpid("downscale", "a.icns", "-s", "2", "-o", "b.icns").exit_code == 2
    with Image.open("a_dpid_x2.png") as image:
        assert image.format == "PNG"


def test_icons_are_small(dpid, folder):
    Image.new("RGB", (600, 600)).save("a.png")
    assert dpid("downscale", "a.png", "--width", "256", "-o", "a.ico").exit_code == 0
    with Image.open("a.ico") as image:
        assert image.info["sizes"] == {(256, 256)}
    result = dpid("downscale", "a.png", "--width", "257", "-o", "b.ico")
    assert result.exit_code == 1 and "at most 256 pixels a side" in result.stderr


def test_an_icon_that_hides_a_larger_image(dpid, folder):
    stream = io.BytesIO()
    Image.new("L", (3000, 3000)).save(stream, "PNG")
    image = stream.getvalue()
    entry = struct.pack("<4B2H2L", 16, 16, 0, 0, 1, 32, len(image), 22)
    Path("a.ico").write_bytes(struct.pack("<3H", 0, 1, 1) + entry + image)
    result = dpid("downscale", "a.ico", "-s", "2", "--max-pixels", "8M")
    assert (
        result.exit_code == 1 and is_one_error_line(result.stderr) and "more than 8 million" in result.stderr
    )


def test_tga_by_its_name_or_its_end(dpid, folder):
    Image.fromarray(smooth("RGB")).save("a.tga")
    content = Path("a.tga").read_bytes()
    assert content.endswith(b"TRUEVISION-XFILE.\0")
    Path("old.tga").write_bytes(content[:-26])
    Path("old").write_bytes(content[:-26])
    Path("new").write_bytes(content)
    for name, code in (("a.tga", 0), ("old.tga", 0), ("new", 0), ("old", 1)):
        result = dpid("downscale", name, "-s", "2", "-o", f"{name}.png")
        assert result.exit_code == code
    assert "not an image" in result.stderr
    Path("text.tga").write_text("a letter, and what it says is no picture at all")
    assert dpid("downscale", "text.tga", "-s", "2").exit_code == 1


# What is missing


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("way", ["in", "out"])
def test_packages_that_are_not_installed(dpid, photo, monkeypatch, name, way):
    format_ = FORMATS[name]
    extension = format_.extensions[0]
    dpid("downscale", "photo.png", "-s", "1", "-m", "box", "-o", f"a{extension}")
    monkeypatch.setitem(sys.modules, format_.plugin, None)
    before = listing(photo.parent)
    words = (f"a{extension}", "-o", "b.png") if way == "in" else ("photo.png", "-o", f"b{extension}")
    result = dpid("downscale", *words, "-s", "2")
    assert result.exit_code == 1 and is_one_error_line(result.stderr) and listing(photo.parent) == before
    assert f'needs {format_.package}: pip install "dpid-cli[formats]"' in result.stderr


def test_info_tells_what_is_read_and_written(dpid):
    lines = dict(line.split(maxsplit=1) for line in dpid("info").stdout.splitlines())
    assert lines["reads"].split() == list(FORMATS) and lines["writes"].split() == list(WRITTEN)


# What is never opened

HOSTILE = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(touched) (w) file closefile showpage\n",
    "dos-eps": b"\xc5\xd0\xd3\xc6"
    + struct.pack("<6L", 32, 60, 0, 0, 0, 0)
    + b"%!PS-Adobe-3.0 EPSF-3.0\n" * 4,
    "ps": b"%!PS\n(touched) (w) file closefile\nshowpage\n",
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
    "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HLLHH", 3, 8, 8, 8, 3) + bytes(400),
    "wmf": b"\xd7\xcd\xc6\x9a" + bytes(60),
    "fits": b"SIMPLE  =                    T" + b" " * 2850,
    "im": b"Image type: RGB image\r\nImage size (x*y): 8*8\r\n".ljust(512, b"\0") + bytes(192),
    "fli": struct.pack("<LHHHH", 128, 0xAF11, 1, 8, 8) + bytes(200),
    "pcx": b"\n\5\1\x08" + bytes(300),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>',
}


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, "a.png") for kind in HOSTILE] + [("eps", "a.tif"), ("eps", "a.eps"), ("fli", "a.fli")],
)
def test_decoders_that_are_never_asked(folder, kind, name):
    """Of them all only Pillow's EPS starts another program; none is even imported."""
    Path(name).write_bytes(HOSTILE[kind])
    Path("bin").mkdir()
    for program in "gs", "gswin32c", "gswin64c", "inkscape":
        script = Path("bin", program)
        script.write_text("#!/bin/sh\ntouch touched\n")
        script.chmod(0o755)
    path = f"{Path('bin').absolute()}{os.pathsep}{os.environ['PATH']}"
    code = f"""
import atexit, sys
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn", "os.system"):
        print("started", event, file=sys.stderr)
sys.addaudithook(watch)
atexit.register(lambda: print(*(m for m in sys.modules if m.endswith("ImagePlugin"))))
sys.argv[0] = {str(DPID)!r}
from dpid_cli.cli import main
main(sys.argv[1:])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "downscale", name, "-s", "2"],
        env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1 and is_one_error_line(done.stderr)
    assert f"{name}: not an image that dpid reads: use PNG, " in done.stderr
    opened = set(re.findall(r"\w+ImagePlugin", done.stdout))
    assert opened <= {f"{kind}ImagePlugin" for kind in ("Bmp", "Gif", "Jpeg", "Mpo", "Png", "Ppm", "Tiff")}
    assert not Path("touched").exists()


def test_the_table_is_light():
    code = "import sys; import dpid_cli.pictures; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "dpid_cli.pictures.codecs.png" in loaded and not loaded & {"numpy", "PIL", "imagecodecs", "ctypes"}


def test_only_the_decoder_of_a_file_is_imported(folder):
    Image.new("RGB", (8, 8)).save("a.webp")
    code = (
        "import sys; from dpid_cli.pictures import read; read(open('a.webp', 'rb'), 'a'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    opened = set(re.findall(r"PIL\.(\w+)ImagePlugin", done.stdout))
    assert "WebP" in opened and not opened & {"Eps", "Avif", "Psd", "Fits", "Wmf", "Pdf", "Tga", "Ico"}
    assert "pillow_heif" not in done.stdout and "pillow_jxl" not in done.stdout


def test_a_process_reads_and_writes_the_extras(photo):
    for name in "a.heic", "a.jxl":
        assert process("downscale", "photo.png", "-s", "2", "-o", name, cwd=photo.parent).returncode == 0
        done = process("downscale", name, "-s", "2", cwd=photo.parent)
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in ("pgm", "ppm")])
def test_cut_and_flipped_files_of_every_format(folder, dpid, name):
    noise = np.random.default_rng(7).integers(0, 256, (40, 60, 3), np.uint8)
    with collected():
        whole = encoded(Picture(noise, False, None, "png", DESCRIBED), name).getvalue()
    generator = np.random.default_rng(9)
    path = Path(f"a{FORMATS[name].extensions[0]}")
    for turn in range(40):
        content = bytearray(whole[: len(whole) * turn // 40] if turn % 2 else whole)
        for place in generator.integers(0, max(len(content), 1), turn % 4 * 5 * bool(content)):
            content[place] ^= 1 << generator.integers(0, 8)
        path.write_bytes(content)
        result = dpid("downscale", path.name, "-s", "2", "-m", "box", "-o", "out.png", "--overwrite", "-q")
        assert result.exit_code in (0, 1)
        if result.exit_code:
            assert is_one_error_line(result.stderr), result.stderr


# What is written about them


def told(format_) -> str:
    """A line of the table in ``docs/files.md``."""

    def order(mode: str) -> tuple[bool, int, str]:
        return ";" in mode, len(mode.partition(";")[0]), mode

    modes = ", ".join(sorted(format_.modes, key=order)).replace(";16", " 16").replace(";F", " float")
    holds = [
        format_.profile,
        *(format_.metadata & names for names in ({"exif"}, {"xmp"}, {"iptc"}, {"dpi", "exif"})),
    ]
    holds.append(format_.metadata & {"text", "comment"})
    cells = [format_.name, " ".join(format_.extensions), modes or "only read"]
    cells += ["yes" if held else "" for held in holds]
    return "| " + " | ".join([*cells, format_.several]).replace("|  ", "| ") + " |"


def test_the_table_of_formats_is_true():
    page = (ROOT / "docs" / "files.md").read_text()
    lines = page.partition("## Formats\n")[2].partition("\n## ")[0].splitlines()
    found = [re.sub(r" +", " ", line) for line in lines if line.startswith("|")][2:]
    assert found == [re.sub(r" +", " ", told(format_)) for format_ in FORMATS.values()]


def test_the_extra_has_all_packages():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {re.split("[<>=]", name)[0] for name in project["optional-dependencies"]["formats"]}
    assert extra == {format_.package for format_ in FORMATS.values() if format_.package}


@pytest.mark.parametrize(
    ("alpha_bits", "marks", "mode"), [(0, 1, "RGB"), (0, 0, "RGB"), (1, 0, "RGBA"), (1, 1, "RGB")]
)
def test_tga_of_16_bits(alpha_bits, marks, mode, dpid, folder):
    """Opaque if its header counts no bits for alpha, or if all pixels would be transparent."""
    colours = np.array([0x7C00, 0x03E0, 0x001F, 0x7FFF] * 4, "<u2") | (marks << 15)
    colours[0] &= 0x7FFF if not alpha_bits else 0xFFFF
    header = struct.pack("<3B5x4H2B", 0, 0, 2, 0, 0, 4, 4, 16, 0x20 | alpha_bits)
    Path("a.tga").write_bytes(header + colours.tobytes())
    result = dpid("downscale", "a.tga", "-s", "1", "-m", "box", "-o", "b.png")
    hidden = alpha_bits and marks
    expected = "a.tga: its alpha makes every pixel transparent: read as opaque\n" if hidden else ""
    assert (result.exit_code, result.stderr) == (0, expected)
    with Image.open("b.png") as image:
        assert image.mode == mode
        assert [image.getpixel((x, 1))[:3] for x in range(4)] == [
            (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
        ]  # fmt: skip


def test_bmp_of_16_bits_loses_nothing(dpid, folder):
    """5 and 6 bits of a colour are no more than 8."""
    rows = np.array([0xF800, 0x07E0, 0x001F, 0xFFFF] * 4, "<u2").tobytes()
    masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
    header = struct.pack("<IiiHHIIiiII", 40, 4, -4, 1, 16, 3, len(rows), 0, 0, 0, 0)
    Path("a.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 66 + len(rows), 0, 0, 66) + header + masks + rows)
    result = dpid("downscale", "a.bmp", "-s", "1", "-m", "box", "-o", "b.png")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open("b.png") as image:
        assert image.getpixel((0, 0)) == (255, 0, 0)
