"""Sheets show every pixel of the outputs in every file format, and no text covers anything."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageCms

import dpid_cli
from dpid_cli.compare import drawing
from dpid_cli.compare.comparison import Comparison, VariantResult
from dpid_cli.compare.fitting import sheet_of
from dpid_cli.compare.metrics import Numbers
from dpid_cli.compare.panels import content_of
from dpid_cli.compare.regions import Region
from dpid_cli.compare.sheet import COLOURS, THEMES, Sheet, Style, framed
from dpid_cli.compare.variants import Variant, sweep_of, variants_of
from dpid_cli.compare.wrapping import wrapped
from dpid_cli.pictures import Picture
from support.command import SAMPLES, is_one_error_line, pixels, places

SCALE, ZOOM = 4, 6
CROP = (8, 4, 24, 20)  # left, top, width, height in the input, borders on whole windows
VARIANTS = {
    "box": {"method": "box"},
    "max": {"method": "max"},
    "dpid:lambda=0.5": {"method": "dpid", "lambda_": 0.5},
}


def enlarged(array: np.ndarray, zoom: int) -> np.ndarray:
    return np.kron(array, np.ones((zoom, zoom, 1), array.dtype))


def panels(noise: np.ndarray) -> list[np.ndarray]:
    """All outputs and their crops, as a sheet must show them."""
    left, top, width, height = (side // SCALE for side in CROP)
    results = [dpid_cli.downscale(noise, scale=SCALE, **options) for options in VARIANTS.values()]
    crops = [enlarged(result[top : top + height, left : left + width], ZOOM) for result in results]
    return [enlarged(result, 240 // 15) for result in results] + crops


def draw(dpid, name: str, *words: str) -> None:
    chosen = [word for variant in VARIANTS for word in ("-m", variant)]
    crop = ",".join(map(str, CROP))
    result = dpid(
        "compare",
        "photo.png",
        "-s",
        str(SCALE),
        *chosen,
        "--closeup",
        crop,
        "--zoom",
        str(ZOOM),
        "-o",
        name,
        *words,
    )
    assert (result.exit_code, result.stdout) == (0, f"{name}\n")
    assert re.fullmatch(rf"{re.escape(name)}: \d+ kB\n", result.stderr)


@pytest.mark.parametrize("theme", THEMES)
def test_png_shows_every_pixel(dpid, photo, noise, theme):
    draw(dpid, "sheet.png", "--theme", theme)
    sheet = pixels("sheet.png")[..., :3]
    for panel in panels(noise):
        assert len(places(sheet, panel)) == 1
    left, top, width, height = CROP
    # Each pixel of the input is one and a half wide, as far as pixels can be.
    y, x = (
        np.floor((np.arange(side * ZOOM // SCALE) + 0.5) * SCALE / ZOOM).astype(int)
        for side in (height, width)
    )
    shown = noise[top : top + height, left : left + width][y[:, None], x]
    assert len(places(sheet, np.ascontiguousarray(shown))) == 1
    assert tuple(sheet[0, 0]) == tuple(bytes.fromhex(THEMES[theme].paper[1:]))


def test_jpeg_shows_the_same(dpid, photo):
    draw(dpid, "sheet.png")
    draw(dpid, "sheet.jpg")
    difference = pixels("sheet.png")[..., :3].astype(int) - pixels("sheet.jpg")
    assert np.abs(difference).mean() < 3


def test_webp_shows_the_same(dpid, photo):
    draw(dpid, "sheet.png")
    draw(dpid, "sheet.webp")
    np.testing.assert_array_equal(pixels("sheet.webp")[..., :3], pixels("sheet.png")[..., :3])


def test_svg_shows_every_pixel(dpid, photo, noise):
    draw(dpid, "sheet.svg")
    root = ElementTree.parse("sheet.svg").getroot()
    box = [float(value) for value in root.attrib["viewBox"].split()]
    assert (float(root.attrib["width"]), float(root.attrib["height"])) == (2 * box[2], 2 * box[3])
    found = []
    for element in root.iter("{http://www.w3.org/2000/svg}image"):
        data = element.attrib["{http://www.w3.org/1999/xlink}href"].split(",")[1]
        shown = np.array(Image.open(io.BytesIO(base64.b64decode(data))))[::-1, :, :3]
        matrix = [float(value) for value in re.findall(r"-?[\d.]+", element.attrib["transform"])]
        np.testing.assert_allclose(matrix[:4], (0.5, 0, 0, -0.5))  # one screen pixel, upside down
        assert all(2 * place == int(2 * place) for place in matrix[4:])
        assert "pixelated" in element.attrib["style"]
        found.append(shown)
    for panel in panels(noise):
        assert sum(np.array_equal(panel, shown) for shown in found) == 1
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"box", "max", "dpid", "λ = 0.5", "input"} <= set(texts)
    assert root[0].text == "photo.png"


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm (poppler-utils) is not installed")
def test_pdf_shows_every_pixel(dpid, photo, noise):
    draw(dpid, "sheet.pdf", "--title", "A title")
    subprocess.run(["pdftoppm", "-r", "144", "-png", "-singlefile", "sheet.pdf", "page"], check=True)
    page = pixels("page.png")
    for panel in panels(noise):
        assert len(places(page, panel)) == 1
    words = subprocess.run(["pdftotext", "sheet.pdf", "-"], check=True, capture_output=True, text=True).stdout
    assert "A title" in words and "λ = 0.5" in words
    fonts = subprocess.run(["pdffonts", "sheet.pdf"], check=True, capture_output=True, text=True).stdout
    embedded = [line.split()[-5] for line in fonts.splitlines()[2:]]
    assert embedded and set(embedded) == {"yes"}


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_sheet_the_same_bytes(dpid, photo, kind):
    made = []
    for count in "1", "2":
        words = ("-m", "dpid", "--metrics", "--no-timing", "-q", "-j", count, "-o", f"{count}.{kind}")
        assert dpid("compare", "photo.png", "-s", "4", *words).exit_code == 0
        made.append(Path(f"{count}.{kind}").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("L", lambda a: np.repeat(a[..., None], 3, axis=2)),
        ("LA", lambda a: np.repeat(a[..., :1], 3, axis=2)),
        ("RGBA", lambda a: a[..., :3]),
        ("I;16", lambda a: np.repeat(((a + 128.0) // 257).astype(np.uint8)[..., None], 3, axis=2)),
    ],
)
def test_other_kinds_of_pixels(dpid, folder, noise, mode, expected):
    source = noise[..., 0].astype(np.uint16) * 251 if mode == "I;16" else noise
    image = Image.fromarray(source) if mode == "I;16" else Image.fromarray(source).convert(mode)
    image.save("photo.png")
    assert (
        dpid("compare", "photo.png", "-s", "4", "-m", "max", "--closeups", "0", "-o", "sheet.png").exit_code
        == 0
    )
    result = expected(dpid_cli.downscale(np.array(image), scale=4, method="max"))
    assert places(pixels("sheet.png")[..., :3], enlarged(result, 16))


def test_transparency_shows_a_checkerboard(dpid, folder, noise):
    glass = np.dstack([noise, np.zeros(noise.shape[:2], np.uint8)])
    Image.fromarray(glass).save("glass.png")
    assert (
        dpid("compare", "glass.png", "-s", "4", "-m", "box", "--closeups", "0", "-o", "sheet.png").exit_code
        == 0
    )
    rows, columns = np.indices((160, 240)) // 9
    board = np.where((rows + columns) % 2, 225, 255).astype(np.uint8)
    assert places(pixels("sheet.png")[..., :3], np.repeat(board[..., None], 3, axis=2))


def test_the_profile_goes_with_the_sheet(dpid, folder):
    with Image.open(SAMPLES / "rocket.jpg") as rocket:  # in Adobe RGB
        part = rocket.crop((0, 200, 64, 264))
        profile = rocket.info["icc_profile"]
    part.save("photo.png", icc_profile=profile)
    for kind in "png", "jpg", "webp":
        result = dpid("compare", "photo.png", "-s", "4", "-m", "box", "-o", f"sheet.{kind}")
        assert result.stderr.startswith(f"sheet.{kind}: ") and result.stderr.count("\n") == 1
        with Image.open(f"sheet.{kind}") as sheet:
            assert sheet.info["icc_profile"] == profile
    for kind in "svg", "pdf":
        words = ("compare", "photo.png", "-s", "4", "-m", "box", "--overwrite", "-o", f"sheet.{kind}")
        result = dpid(*words)
        warning, size = result.stderr.splitlines()
        assert is_one_error_line(f"{warning}\n") and size.startswith(f"sheet.{kind}: ")
        assert warning.startswith(f"sheet.{kind}: cannot store the input's colour profile")
        assert dpid(*words, "--to-srgb").stderr.count("\n") == 1
        part.save("srgb.png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        assert dpid("compare", "srgb.png", *words[2:]).stderr.count("\n") == 1


def test_warnings_are_told_once(dpid, photo, noise):
    Image.fromarray(noise).save("photo.png", icc_profile=b"no profile")
    result = dpid("compare", "photo.png", "-s", "4", "-m", "box", "-m", "max", "--linear", "-o", "sheet.png")
    lines = result.stderr.splitlines()
    assert result.exit_code == 0 and "profile is damaged" in lines[0]
    assert len(lines) == 2 and lines[1].startswith("sheet.png: ")


# Layout


def comparison_of(
    size: tuple[int, int], scale: int, variants: tuple[Variant, ...], measured: bool
) -> Comparison:
    """A comparison of black images; only their sizes matter."""
    width, height = size
    small = max(1, width // scale), max(1, height // scale)
    plain = 0.987, 0.0123, 0.9123
    numbers = Numbers(
        *plain, 0.1234, 45.67, 0.9, 0.1, 0.1, 123.456, 1, 0.1, 1234.5, math.inf, 0.1, 1, 12.345, 123.4
    )
    black = [Picture(np.zeros((h, w, 3), np.uint8), False, None, "png") for w, h in (size, small)]
    side = min(*small, 40) // 2
    spots = ((0, 0), (small[0] - side, small[1] - side), (small[0] // 2, 0)) if side >= 4 else ()
    regions = tuple(
        Region(x, y, min(x + side, small[0]), min(y + side, small[1])) for x, y in dict.fromkeys(spots)
    )
    results = tuple(VariantResult(v, {}, black[1], numbers if measured else None) for v in variants)
    return Comparison("photo.png", black[0], black[1], results, regions)


def laid_out(comparison: Comparison, style: Style) -> Sheet:
    return sheet_of(partial(content_of, comparison, style), style, drawing.measure_with(style.font))


def many(count: int) -> tuple[Variant, ...]:
    return tuple(Variant("dpid", {"lambda_": i / 8}) for i in range(count))


LONG = (
    Variant("dpp", {"lambda_": 1.123456, "alpha": 0.123456, "epsilon": 0.0123456, "variant": "asym"}),
    Variant("dpid", {"guidance": "a/very/long/path/without/any/place/to/break/it/but/between/letters.json"}),
    Variant("box"),
)
GRID = variants_of(["dpp", "box"], [sweep_of("lambda=0:2:0.5"), sweep_of("alpha=0,0.1,1")])


def boxes_of(sheet: Sheet) -> list[tuple[float, float, float, float]]:
    """The area of each text: letters of DejaVu reach 0.76 above the baseline and 0.24 below it."""
    measure, parts = drawing.measure_with(None), {"left": 0, "center": 0.5, "right": 1}
    widths = [measure(text.text, text.size, text.bold) for text in sheet.texts]
    lefts = [text.x - parts[text.align] * width for text, width in zip(sheet.texts, widths, strict=True)]
    return [
        (left, t.baseline - 0.76 * t.size, left + width, t.baseline + 0.24 * t.size)
        for t, left, width in zip(sheet.texts, lefts, widths, strict=True)
    ]


def meet(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


CASES = [
    *((many(count), (400, 300), Style()) for count in range(1, 17)),
    (many(4), (40, 4000), Style()),
    (many(4), (4000, 40), Style()),
    (many(4), (8, 8), Style()),
    (many(4), (1, 1), Style(title="One pixel")),
    (many(5), (4000, 3000), Style(title="Large " * 40)),
    (many(3), (400, 300), Style(font_size=48)),
    (many(3), (400, 300), Style(font_size=6, zoom=1)),
    (many(7), (400, 300), Style(columns=1)),
    (many(7), (400, 300), Style(columns=30, zoom=13)),
    (LONG, (400, 300), Style()),
    (LONG, (40, 30), Style(title="W" * 300)),
    (GRID, (400, 300), Style()),
    (GRID, (400, 300), Style(columns=4)),
]


@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.parametrize(("variants", "size", "style"), CASES)
def test_nothing_lies_over_anything(variants, size, style, measured):
    sheet = laid_out(comparison_of(size, 4, variants, measured), style)
    texts = boxes_of(sheet)
    images = [(i.left, i.top, i.left + i.pixels.shape[1], i.top + i.pixels.shape[0]) for i in sheet.images]
    for left, top, right, bottom in texts + images:
        assert left >= 0 and top >= 0 and right <= sheet.width and bottom <= sheet.height
    for a, b in combinations(texts, 2):
        assert not meet(a, b)
    for a, b in combinations(images, 2):
        assert not meet(a, b)
    overview = images[0]  # where letters mark the regions
    for text, box in zip(sheet.texts, texts, strict=True):
        over = [image for image in images if meet(box, image)]
        assert not over or (over == [overview] and text.colour == "#000000")
    frames = [(b.left, b.top, b.right, b.bottom) for b in sheet.boxes]
    for frame, image in ((f, i) for f in frames for i in images[1:]):
        across, down = (frame[i + 2] - frame[i] - image[i + 2] + image[i] for i in (0, 1))
        assert not meet(frame, image) or (across == down and across in (2, 6, 8))


def test_all_variants_and_labels_are_there():
    for count in range(1, 17):
        sheet = laid_out(comparison_of((400, 300), 4, many(count), False), Style())
        texts = [text.text for text in sheet.texts]
        assert texts.count("dpid") == count and f"λ = {(count - 1) / 8:g}" in texts
        assert len(sheet.images) == (count + 1) * 4


def test_columns_and_grids():
    def columns(variants, style):
        sheet = laid_out(comparison_of((400, 300), 4, variants, False), style)
        rows = {}
        for text in (text for text in sheet.texts if text.bold and text.colour != "#000000"):
            rows.setdefault(round(text.baseline), []).append(text.text)
        return [rows[baseline] for baseline in sorted(rows)]

    assert columns(many(3), Style(columns=2)) == [["input", "dpid"], ["dpid", "dpid"]]
    assert columns(many(2), Style(columns=9)) == [["input", "dpid", "dpid"]]
    assert columns(GRID, Style()) == [["input", "box"], *[[f"dpp, place {place} ×8"] for place in "ABC"]]


def test_words_are_wrapped():
    assert wrapped("a bc def", 5, len) == ["a bc", "def"]
    assert wrapped("abcdefgh ij", 3, len) == ["abc", "def", "gh", "ij"]
    assert wrapped("ab", 0.5, len) == ["a", "b"]
    assert wrapped("", 5, len) == []
    assert wrapped("a = 1, b = 2", 8, len) == ["a = 1,", "b = 2"]
    assert wrapped("guidance = text", 13, len) == ["guidance =", "text"]
    assert wrapped("guidance = text", 9, len) == ["guidance", "= text"]
    assert wrapped("ab=12,cd=345", 7, len) == ["ab=12,", "cd=345"]


@pytest.mark.parametrize("place", [(0, 0), (99, 74), (50, 30), (0, 74)])
def test_letters_hide_no_small_frame(place):
    comparison = comparison_of((400, 300), 4, many(2), False)
    spots = [place, (min(place[0] + 3, 99), max(place[1] - 3, 0))]
    comparison = replace(
        comparison, regions=tuple(Region(x, y, x + 1, y + 1) for x, y in dict.fromkeys(spots))
    )
    sheet = laid_out(comparison, Style())
    overview = sheet.images[0]
    width, height = overview.pixels.shape[1], overview.pixels.shape[0]
    area = (overview.left, overview.top, overview.left + width, overview.top + height)
    marks = [b for b in sheet.boxes if meet((b.left, b.top, b.right, b.bottom), area)]
    frames, letters = (
        [b for b in marks if b.border and b.colour != "#d0d7de"],
        [b for b in marks if not b.border],
    )
    assert len(frames) == 3 * len(letters) == 3 * len(comparison.regions)
    for frame, letter in product(frames, letters):
        assert not meet(
            (frame.left, frame.top, frame.right, frame.bottom),
            (letter.left, letter.top, letter.right, letter.bottom),
        )


def test_letters_that_no_font_has_do_no_harm(dpid, photo):
    result = dpid(
        "compare", "photo.png", "-s", "4", "-m", "box", "--title", "漢字 🎉 $x_1$ \\n", "-o", "a.png"
    )
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)


def luminance(colour: str) -> float:
    """Relative luminance by WCAG."""
    encoded = np.array(list(bytes.fromhex(colour[1:]))) / 255
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return float(light @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("ground", ["#000000", "#ffffff", "#808080", *COLOURS])
@pytest.mark.parametrize("colour", COLOURS)
def test_frames_are_visible_on_any_ground(colour, ground):
    lines = [box.colour for box in framed(0, 0, 40, 40, colour, 1)]
    assert colour in lines
    pairs = [sorted((luminance(line), luminance(ground))) for line in lines]
    assert max((light + 0.05) / (dark + 0.05) for dark, light in pairs) >= 4.5


def test_frames_lie_around_crops_and_on_the_overview(dpid, folder):
    """Black images on a black sheet would hide black frames, white ones white frames."""
    for level in 0, 255:
        Image.fromarray(np.full((160, 240, 3), level, np.uint8)).save("flat.png")
        words = ("-s", "4", "-m", "box", "--closeup", "80,40,64,64", "--overwrite", "-o", "sheet.png")
        assert dpid("compare", "flat.png", *words).exit_code == 0
        sheet = pixels("sheet.png")[..., :3].astype(int)
        coloured = (np.abs(sheet - list(bytes.fromhex(COLOURS[0][1:]))).max(axis=2) == 0).any(axis=0)
        assert coloured.sum() > 64
        darkest, lightest = sheet.min(axis=2), sheet.max(axis=2)
        assert (darkest == 255).any() and (lightest == 0).any()


@pytest.mark.parametrize(
    ("size", "scale"), [((640, 427), 4), ((451, 300), 3.3), ((300, 200), 10), ((91, 70), 2)]
)
def test_crops_of_one_place_have_one_size(dpid, folder, size, scale):
    patches = np.random.default_rng(1).integers(0, 256, (size[1] // 5, size[0] // 5, 3), np.uint8)
    Image.fromarray(patches).resize(size, Image.Resampling.NEAREST).save("photo.png")
    result = dpid("compare", "photo.png", "-s", str(scale), "-m", "box", "--json", "-o", "sheet.svg")
    regions = json.loads(result.stdout)["regions"]
    root = ElementTree.parse("sheet.svg").getroot()
    images = root.iter("{http://www.w3.org/2000/svg}image")
    sizes = [(round(float(image.attrib["width"])), round(float(image.attrib["height"]))) for image in images]
    count = len(regions)
    assert count == 2 and sizes[-count:] == sizes[-2 * count - 1 : -count - 1]
    assert sizes[-1] == sizes[-2]  # and both places have one size


def test_the_input_is_shown_exactly(dpid, folder):
    """With a scale of nearly 4, as of rocket.jpg, its crops were a fifth smaller than those of outputs."""
    pixel = np.random.default_rng(1).integers(0, 256, (427, 640, 3), np.uint8)
    Image.fromarray(pixel).save("photo.png")
    dpid("compare", "photo.png", "-s", "4", "-m", "box", "--closeup", "200,100,120,80", "-o", "sheet.png")
    sheet = pixels("sheet.png")[..., :3]
    dpid("downscale", "photo.png", "-s", "4", "-m", "box", "-o", "small.png")
    output = pixels("small.png")[25:45, 50:80]
    zooms = [zoom for zoom in range(4, 17, 4) if places(sheet, enlarged(output, zoom))]
    assert len(zooms) == 1
    shown = enlarged(pixel[100:180, 200:320], zooms[0] // 4)
    (left, top), (other, below) = places(sheet, shown) + places(sheet, enlarged(output, zooms[0]))
    assert top == below and left < other


@pytest.mark.parametrize("zoom", [2, 3, 5, 7, 8, 9, 14, 16])
def test_the_checkerboard_is_no_pixel_grid(dpid, folder, noise, zoom):
    Image.fromarray(np.dstack([noise, np.zeros(noise.shape[:2], np.uint8)])).save("glass.png")
    words = ("-s", "2", "-m", "box", "--closeups", "0", "--zoom", str(zoom), "-o", "sheet.png")
    assert dpid("compare", "glass.png", *words).exit_code == 0
    sheet = pixels("sheet.png")[..., 0]
    row = next(row for row in sheet if (row == 225).sum() > 20)
    start = int(np.argmax(row == 225))
    side = int(np.argmax(row[start:] != 225))
    assert side > 1 and side % zoom and zoom % side
    assert max(side / zoom, zoom / side) >= 1.5


@pytest.mark.parametrize(("ground", "level"), [("white", 255), ("black", 0)])
def test_grounds(dpid, folder, noise, ground, level):
    alpha = np.random.default_rng(2).integers(0, 256, noise.shape[:2], np.uint8)
    Image.fromarray(np.dstack([noise, alpha])).save("glass.png")
    words = ("compare", "glass.png", "-s", "1", "-m", "nearest", "--closeups", "0", "--zoom", "2")
    assert dpid(*words, "--ground", ground, "-o", "sheet.png").exit_code == 0
    part = alpha[..., None] / 255
    expected = np.floor(noise * part + level * (1 - part) + 0.5).astype(np.uint8)
    assert places(pixels("sheet.png")[..., :3], enlarged(expected, 2))


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (4000, 3000), (2000, 3000)])
@pytest.mark.parametrize("count", range(1, 13))
def test_sheets_are_not_half_blank(count, size):
    sheet = laid_out(comparison_of(size, 4, many(count), False), Style())
    shown = np.zeros((sheet.height, sheet.width), bool)
    for image in sheet.images:
        height, width = image.pixels.shape[:2]
        shown[image.top : image.top + height, image.left : image.left + width] = True
    # Labels, frames and gaps take a part of it; no quarter may be blank, and not half of the sheet.
    assert shown.mean() > 0.45
    middle, centre = sheet.height // 2, sheet.width // 2
    quarters = [
        shown[y, x] for y in (np.s_[:middle], np.s_[middle:]) for x in (np.s_[:centre], np.s_[centre:])
    ]
    assert min(quarter.mean() for quarter in quarters) > 0.15


def test_a_grid_shows_one_crop_in_a_cell_below_headings():
    comparison = comparison_of((400, 300), 4, GRID, False)
    one = replace(comparison, regions=comparison.regions[:1])
    sheet = laid_out(one, Style())
    texts = [text.text for text in sheet.texts]
    for heading in ("α = 0", "α = 0.1", "α = 1", "λ = 0", "λ = 0.5", "λ = 2"):
        assert texts.count(heading) == 1
    crops = [image for image in sheet.images if image.pixels.shape[0] == sheet.images[-1].pixels.shape[0]]
    rows = [image.top for image in crops[-15:]]
    columns = [image.left for image in crops[-15:]]
    assert len(set(rows)) == 5 and len(set(columns)) == 3 and len(set(zip(rows, columns, strict=True))) == 15
    assert len(sheet.images) == 1 + 2 + 15  # the overview, and crops of input and box


def test_labels_name_files_without_folders():
    texts = [text.text for text in laid_out(comparison_of((400, 300), 4, LONG, True), Style()).texts]
    assert not any("/" in text for text in texts)
    assert any(".json" in text for text in texts)
