"""Colours, however a file marks them: right in every output, or refused.

What is expected follows from the definitions of the spaces; LittleCMS shows outputs, as Pillow calls it.
"""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from dpid_cli.pictures import FORMATS, read
from support.colour_marks import (
    PQ,
    SPACES,
    avif,
    cicp_chunk,
    code_in,
    dcf_exif,
    first_pixel,
    heif,
    hlg_light,
    png_with,
    pq_light,
    profile_in,
    seen,
    shown,
)
from support.command import is_one_error_line
from support.profiles import P3, gray_profile, rgb_profile, srgb_light, table
from support.specimens import NAMES, chunk

HAS_HEIF = "heif" in NAMES
# Inside of sRGB, so that nothing is clipped, whatever the space.
COLOURS = [(150, 120, 100), (60, 80, 110), (200, 190, 180), (128, 128, 128), (20, 24, 28)]
OUTPUTS = ["png", "jpg", "webp", "avif", "tif"] + ["heic"] * HAS_HEIF
HOLDS_CODE = {"png", "avif", "heic"}
HDR = {"PQ": "PQ (HDR)", "HLG": "HLG (HDR)"}


def flat(colour: tuple[int, ...], side: int = 16) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


def marked(space: str, mark: str, colour: tuple[int, ...]) -> tuple[str, bytes]:
    """A file of one colour, with its extension."""
    values, known = flat(colour), SPACES[space]
    stream = io.BytesIO()
    match mark:
        case "icc":
            Image.fromarray(values).save(stream, "TIFF", icc_profile=known.profile)
            return "tif", stream.getvalue()
        case "exif":
            exif = dcf_exif(65535, "R03")
            Image.fromarray(values).save(stream, "JPEG", quality=100, subsampling=0, exif=exif)
            return "jpg", stream.getvalue()
        case "cicp":
            return "png", png_with(values, cicp_chunk(*known.code))
        case "cicp16":
            return "png", png_with(values * np.uint16(257), cicp_chunk(*known.code))
        case "nclx":
            return "avif", avif(values, known.code)
        case "nclx10":
            return "avif", avif(values * np.uint16(257), known.code, 10)
        case "nclx of hevc":
            return "heic", heif(values, known.code)
        case "gama":
            corners = np.delete(np.reshape(known.primaries, (3, 3)), 2, axis=1).ravel()
            numbers = np.round(1e5 * np.array([0.3127, 0.329, *corners])).astype(">u4")
            gamma = np.array([round(1e5 / 1.8)], ">u4")
            return "png", png_with(values, chunk(b"gAMA", gamma.tobytes()), chunk(b"cHRM", numbers.tobytes()))
    raise AssertionError(mark)


BY_CODE = ["cicp", "cicp16", "nclx", "nclx10"] + ["nclx of hevc"] * HAS_HEIF
MARKS = [
    *((space, "icc") for space in SPACES if space not in HDR),
    ("Adobe RGB", "exif"),
    ("gamma 1.8", "gama"),
    *((space, mark) for space in SPACES if SPACES[space].code and space not in HDR for mark in BY_CODE),
]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("space", "mark"), MARKS)
def test_colours_look_the_same(dpid, folder, space, mark, output):
    known = SPACES[space]
    best = ["--quality", "100"] if output not in ("png", "tif") else []
    depth = [] if "1" not in mark or output in HOLDS_CODE | {"tif"} else ["--depth", "8"]
    for colour in COLOURS:
        extension, data = marked(space, mark, colour)
        Path(f"a.{extension}").write_bytes(data)
        colour = first_pixel(data)  # which some formats have changed a little
        for options in [], ["--to-srgb"]:
            command = ["downscale", f"a.{extension}", "-s", "2", "-m", "box", *options, *depth, *best]
            result = dpid(*command, "-o", f"b.{output}", "--overwrite")
            assert (result.exit_code, result.stderr) == (0, ""), (colour, options)
            data = Path(f"b.{output}").read_bytes()
            expected = known.in_srgb(colour) if options else colour
            assert np.abs(first_pixel(data) - expected).max() <= 2, (colour, options)
            look = expected if options else known.in_srgb(np.round(colour))
            assert np.abs(shown(profile_in(data), expected) - look).max() <= 2, (colour, options)
            is_coded = mark in BY_CODE and not options and space != "sRGB"
            if output in HOLDS_CODE:  # never another mark than the right one; HEIC has it or a profile
                unmarked = {None} if output == "png" else {None, (1, 13), (2, 2)}
                code = code_in(data)
                assert code == known.code if is_coded and output != "heic" else code in unmarked


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_gray_looks_the_same(dpid, folder, gamma, output):
    gray = np.full((16, 16), 100, np.uint8)
    by_gamma = np.array([round(1e5 / gamma)], ">u4").tobytes()
    Path("gama.png").write_bytes(png_with(gray, chunk(b"gAMA", by_gamma)))
    Image.fromarray(gray).save("icc.png", icc_profile=gray_profile(gamma))
    light = (100 / 255) ** gamma
    expected = 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
    for name in "gama", "icc":
        for options in [], ["--to-srgb"]:
            command = ["downscale", f"{name}.png", "-s", "2", "-m", "box", *options]
            result = dpid(*command, "-o", f"b.{output}", "--overwrite")
            assert result.exit_code == 0
            assert np.abs(seen(f"b.{output}") - expected).max() <= 2


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("mark", BY_CODE)
@pytest.mark.parametrize("space", HDR)
def test_hdr_is_carried_or_refused(dpid, folder, space, mark, output):
    extension, data = marked(space, mark, (150, 120, 100))
    Path(f"a.{extension}").write_bytes(data)
    command = ["downscale", f"a.{extension}", "-s", "2", "-m", "box", "-o", f"b.{output}"]
    result = dpid(*command)
    if output in HOLDS_CODE:
        assert (result.exit_code, result.stderr) == (0, "")
        assert code_in(Path(f"b.{output}").read_bytes()) == SPACES[space].code
        with Image.open(f"b.{output}") as image:
            assert "icc_profile" not in image.info
            assert np.abs(np.array(image.convert("RGB"))[0, 0].astype(int) - (150, 120, 100)).max() <= 2
    else:
        assert result.exit_code == 1 and is_one_error_line(result.stderr)
        assert f"cannot store colours in {HDR[space]}: write PNG" in result.stderr
    for options in ["--to-srgb"], ["--transparency", "drop"]:
        if options == ["--to-srgb"] or mark == "cicp":
            see_through = np.dstack([flat((1, 2, 3)), flat((0, 0, 0))[..., 0]])
            if options != ["--to-srgb"]:
                Path("a.png").write_bytes(png_with(see_through, cicp_chunk(*SPACES[space].code)))
            result = dpid("downscale", f"a.{extension}", "-s", "2", *options, "-o", "c.png")
            assert result.exit_code == 1 and is_one_error_line(result.stderr)
            assert f"its colours are {HDR[space]}, which dpid cannot convert to sRGB" in result.stderr
    assert not Path("c.png").exists()


@pytest.mark.parametrize(("space", "light"), [("PQ", pq_light), ("HLG", hlg_light)])
def test_hdr_in_linear_light(dpid, folder, space, light):
    """A checkerboard of two levels: the mean of their light by the standard's own curve, encoded again."""
    board = np.indices((8, 8)).sum(axis=0) % 2
    levels = np.array([20000, 52000], np.uint16)[board][..., None].repeat(3, axis=2)
    Path("a.png").write_bytes(png_with(levels, cicp_chunk(*SPACES[space].code)))
    assert dpid("downscale", "a.png", "-s", "2", "-m", "box", "--linear", "-o", "b.png").exit_code == 0
    encoded = np.linspace(0, 1, 1_000_001)
    expected = 65535 * np.interp(light(np.array([20000, 52000]) / 65535).mean(), light(encoded), encoded)
    found = np.asarray(imagecodecs.png_decode(Path("b.png").read_bytes()))
    assert np.abs(found - expected).max() <= 3 and abs(expected - 36000) > 2000


@pytest.mark.parametrize(("policy", "kept"), [("keep", True), ("colour", True), ("strip", False)])
def test_code_points_are_metadata_unless_nothing_else_says_it(dpid, folder, policy, kept):
    for name, space in ("sdr", "Display P3"), ("hdr", "PQ"):
        Path(f"{name}.png").write_bytes(png_with(flat((90, 80, 70)), cicp_chunk(*SPACES[space].code)))
        command = ["downscale", f"{name}.png", "-s", "2", "--metadata", policy, "-o", f"{name}2.png"]
        assert dpid(*command).exit_code == 0
    assert code_in(Path("hdr2.png").read_bytes()) == (9, PQ)
    assert code_in(Path("sdr2.png").read_bytes()) == ((12, 13) if kept else None)


def test_code_points_come_before_all_else_in_png(folder):
    """PNG, third edition, 4.3: cICP, iCCP, sRGB, gAMA and cHRM."""
    other = rgb_profile(P3, transferfunction=table(srgb_light))
    is_srgb, gamma = chunk(b"sRGB", b"\0"), chunk(b"gAMA", (100_000).to_bytes(4, "big"))
    code = cicp_chunk(9, 14)
    data = png_with(flat((9, 9, 9)), code, gamma, icc_profile=other)
    picture = read(io.BytesIO(data), "a")
    assert picture.cicp == (9, 14, True) and b"Rec. 2020".decode().encode("utf-16-be") in picture.icc_profile
    data = png_with(flat((9, 9, 9)), cicp_chunk(1, 13), icc_profile=other)
    assert read(io.BytesIO(data), "a").icc_profile is None  # it is sRGB
    data = png_with(flat((9, 9, 9)), is_srgb, gamma, exif=dcf_exif(65535, "R03"))
    assert read(io.BytesIO(data), "a").icc_profile is None


def test_primaries_without_gamma(folder):
    """The curve is that of sRGB then."""
    numbers = np.array([31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000], ">u4").tobytes()
    Path("a.png").write_bytes(png_with(flat((200, 100, 50)), chunk(b"cHRM", numbers)))
    picture = read(io.BytesIO(Path("a.png").read_bytes()), "a")
    Image.fromarray(picture.pixels).save("b.png", icc_profile=picture.icc_profile)
    assert np.abs(seen("b.png") - (215, 93, 31)).max() <= 1


@pytest.mark.parametrize(
    ("exif", "is_adobe"),
    [
        (dcf_exif(65535, "R03"), True),
        (dcf_exif(2), True),
        (dcf_exif(65535), False),
        (dcf_exif(65535, "R98"), False),
        (dcf_exif(1, "R98"), False),
        (dcf_exif(1, "R03"), False),
        (dcf_exif(65535, "R03")[:60], False),
    ],
)
@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_adobe_rgb_by_exif(dpid, folder, exif, is_adobe, extension):
    options = {"quality": 100, "lossless": True} if extension == "webp" else {}
    Image.fromarray(flat((200, 100, 50))).save(f"a.{extension}", exif=exif, **options)
    for options, name in ([], "b.png"), (["--to-srgb"], "c.png"):
        assert dpid("downscale", f"a.{extension}", "-s", "2", *options, "-o", name).exit_code == 0
        with Image.open(name) as image:
            assert ("icc_profile" in image.info) == is_adobe
        expected = (227, 100, 42) if is_adobe else (200, 100, 50)
        assert np.abs(seen(name) - expected).max() <= 2
    with Image.open("c.png") as image:
        tags = image.getexif().get_ifd(IFD.Exif)
        space = tags.get(Base.ColorSpace)
        assert space == (1 if is_adobe else space) and IFD.Interop not in tags
    if len(exif) < 80:
        return  # it is cut off
    other = rgb_profile(P3, transferfunction=table(srgb_light))
    Image.fromarray(flat((200, 100, 50))).save("d.png", exif=exif, icc_profile=other)
    assert read(io.BytesIO(Path("d.png").read_bytes()), "d").icc_profile == other  # comes first


@pytest.mark.parametrize("code", [(0, 13), (1, 0), (99, 99), (1, 19), (3, 13)])
def test_code_points_without_meaning(dpid, folder, code):
    Path("a.png").write_bytes(png_with(flat((200, 100, 50)), cicp_chunk(*code)))
    result = dpid("downscale", "a.png", "-s", "2", "--to-srgb", "-o", "b.png")
    told = f"a.png: its colours, CICP {code[0]}/{code[1]}, are none that exist: sRGB is used instead\n"
    assert (result.exit_code, result.stderr) == (0, told)
    assert np.array_equal(seen("b.png"), (200, 100, 50))


@pytest.mark.parametrize(("code", "full_range"), [((1, 13), 0), ((10, 8), 1), ((1, 9), 1)])
def test_colours_that_no_profile_describes(dpid, folder, code, full_range):
    """Carried to what holds code points, and refused elsewhere."""
    Path("a.png").write_bytes(png_with(flat((200, 100, 50)), cicp_chunk(*code, 0, full_range)))
    assert dpid("downscale", "a.png", "-s", "2", "-o", "b.png").exit_code == 0
    data = Path("b.png").read_bytes()
    assert data[data.find(b"cICP") + 4 :][:4] == bytes([*code, 0, full_range])
    for options in ["-o", "b.jpg"], ["--to-srgb", "-o", "c.png"], ["--linear", "-o", "c.png"]:
        result = dpid("downscale", "a.png", "-s", "2", *options)
        assert result.exit_code == 1 and is_one_error_line(result.stderr), options


def test_light_levels_are_said(dpid, folder):
    chunks = cicp_chunk(9, PQ), chunk(b"mDCV", bytes(24)), chunk(b"cLLI", bytes(8))
    Path("a.png").write_bytes(png_with(flat((9, 9, 9)), *chunks))
    result = dpid("downscale", "a.png", "-s", "2", "-o", "b.png")
    assert result.stderr == "a.png: its light levels (mDCV, cLLI) are dropped\n"


@pytest.mark.skipif("jxl" not in NAMES, reason="pillow-jxl-plugin is not installed")
@pytest.mark.parametrize("channels", [1, 3])
def test_hdr_of_jpeg_xl(dpid, folder, channels):
    """The four bits of the header that choose the curve are those that make the decoder name PQ."""
    pixels = np.full((8, 8, channels), 30000, np.uint16).squeeze()
    file = bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=True))
    start = file.index(b"jxlc") + 6
    bits = int.from_bytes(file[start : start + 20], "little")
    linear, pq = 8 - 2, 16 - 2
    for place in [k for k in range(160) if bits >> k & 15 == linear]:
        changed = (bits + ((pq - linear) << place)).to_bytes(20, "little")
        Path("a.jxl").write_bytes(file[:start] + changed + file[start + 20 :])
        with suppress(Exception), Image.open("a.jxl") as image:
            if b"_PeQ" in image.info["icc_profile"].replace(b"\0", b""):
                break
    else:
        pytest.fail("no file with PQ")
    assert dpid("downscale", "a.jxl", "-s", "2", "-o", "b.png").stderr == ""
    assert code_in(Path("b.png").read_bytes())[1] == PQ
    assert (np.asarray(imagecodecs.png_decode(Path("b.png").read_bytes())) == 30000).all()
    result = dpid("downscale", "a.jxl", "-s", "2", "-o", "b.jxl")
    assert result.exit_code == 1 and "JPEG XL cannot store colours in PQ (HDR)" in result.stderr


def test_an_animation_keeps_its_code_points(dpid, folder):
    frames = [Image.fromarray(flat((k, 80, 90))) for k in (10, 100)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:], duration=40)
    data = stream.getvalue()
    Path("a.png").write_bytes(data[:33] + cicp_chunk(9, PQ) + data[33:])
    assert dpid("downscale", "a.png", "-s", "2", "-o", "b.png").exit_code == 0
    assert code_in(Path("b.png").read_bytes()) == (9, PQ)
    for name in "b.gif", "b.webp", "b.avif":
        result = dpid("downscale", "a.png", "-s", "2", "-o", name)
        assert result.exit_code == 1 and is_one_error_line(result.stderr) and "PQ (HDR)" in result.stderr


@pytest.mark.parametrize("target", ["sheet.png", "page.html"])
def test_a_comparison_in_hdr_says_that_it_looks_wrong(dpid, folder, target):
    Path("a.png").write_bytes(png_with(flat((9, 90, 99)), cicp_chunk(9, PQ)))
    result = dpid("compare", "a.png", "-s", "2", "-m", "box", "-o", target)
    assert result.exit_code == 0
    assert f"{target}: cannot store colours in PQ (HDR), so they look wrong\n" in result.stderr


def test_formats_that_hold_code_points():
    assert {name for name, codec in FORMATS.items() if codec.cicp} == {"png", "avif", "heif"}
