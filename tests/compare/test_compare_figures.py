"""Figures for papers: widths, fonts, insets, plots and LaTeX."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support.command import ROOT, is_one_error_line, listing, pixels, places

SVG = "{http://www.w3.org/2000/svg}"
HERE = ("compare", "photo.png", "-s", "4")


@pytest.fixture
def large(folder) -> np.ndarray:
    """``photo.png``, 360 x 240 pixels with shades and noise."""
    y, x = np.mgrid[0:240, 0:360]
    shades = 128 + 80 * np.sin(x / 11)[..., None] * np.cos(y / 9)[..., None] * [1, 0.8, 0.6]
    noise = np.random.default_rng(9).normal(0, 12, (240, 360, 3))
    source = np.clip(np.rint(shades + noise), 0, 255).astype(np.uint8)
    Image.fromarray(source).save("photo.png")
    return source


def enlarged(array: np.ndarray, zoom: int) -> np.ndarray:
    return np.kron(array, np.ones((zoom, zoom, 1), array.dtype))


def zoom_of(sheet: np.ndarray, panel: np.ndarray) -> int:
    """How large the pixels of a panel are on a sheet, which must show it so once; the whole is smaller."""
    zooms = [zoom for zoom in range(1, 65) for _ in places(sheet, enlarged(panel, zoom))]
    assert len(zooms) == len(set(zooms)) > 0
    return max(zooms)


def texts_of(svg: str) -> list[str]:
    return [element.text for element in ElementTree.parse(svg).getroot().iter(f"{SVG}text")]


# Widths and fonts


@pytest.mark.parametrize(
    ("width", "points"),
    [
        ("252pt", 252),
        ("89mm", 252.283),
        ("8.9cm", 252.283),
        ("3.5in", 252),
        ("7.16in", 515.52),
        ("700px", 350),
    ],
)
def test_widths_of_vector_figures(dpid, large, width, points):
    for variants in (["box"], ["box", "dpid", "dpp", "max", "lanczos"]):
        words = [word for variant in variants for word in ("-m", variant)]
        for kind in "pdf", "svg":
            assert dpid(*HERE, *words, "--width", width, "--overwrite", "-o", f"a.{kind}").exit_code == 0
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", Path("a.pdf").read_bytes())
        assert float(box[1]) == pytest.approx(points, abs=0.01)
        root = ElementTree.parse("a.svg").getroot()
        assert root.attrib["width"] == width.removesuffix("px")
        ratio = float(re.match(r"[\d.]+", root.attrib["height"])[0]) / float(re.match(r"[\d.]+", width)[0])
        assert ratio == pytest.approx(float(box[2]) / float(box[1]), rel=1e-3)


@pytest.mark.parametrize("size", ["16", "7pt"])
def test_text_has_its_size_at_any_width(dpid, large, size):
    words = ("-m", "box", "--font-size", size, "-o", "a.svg", "--overwrite", "--width")
    for width in "120pt", "252pt", "20cm":
        assert dpid(*HERE, *words, width).exit_code == 0
        root = ElementTree.parse("a.svg").getroot()
        drawn = float(root.attrib["viewBox"].split()[2]) / float(re.match(r"[\d.]+", root.attrib["width"])[0])
        points = drawn if width.endswith("pt") else drawn / (72 / 2.54)  # of the drawing in a point
        styles = [element.attrib["style"] for element in root.iter(f"{SVG}text") if element.text == "input"]
        found = float(re.search(r"([\d.]+)px", styles[0])[1])
        assert found / points == pytest.approx(8 if size == "16" else 7, rel=0.01)


def test_widths_of_pixels_are_exact(dpid, large):
    for width in 500, 777, 1200:
        assert dpid(*HERE, "--width", f"{width}px", "-o", "a.png", "--overwrite").exit_code == 0
        with Image.open("a.png") as sheet:
            assert sheet.width == width


def test_figures_of_paper_width_have_many_pixels(dpid, large):
    words = ("-m", "dpid", "--closeup", "40,80,80,64")
    assert dpid(*HERE, *words, "--width", "252pt", "-o", "a.png").exit_code == 0
    with Image.open("a.png") as sheet:
        assert sheet.width / 3.5 == pytest.approx(sheet.info["dpi"][0], rel=1e-3)
        assert 200 <= sheet.info["dpi"][0] <= 450
    output = dpid_cli.downscale(large, scale=4)
    zoom = zoom_of(pixels("a.png")[..., :3], output[20:36, 10:30])
    assert zoom % 4 == 0
    assert places(pixels("a.png")[..., :3], enlarged(large[80:144, 40:120], zoom // 4))


def test_a_width_goes_with_a_size(dpid, large):
    result = dpid("compare", "photo.png", "--width", "90", "--width", "252pt", "-o", "a.pdf", "--json")
    assert json.loads(result.stdout)["output_size"] == [90, 60]


def test_fonts(dpid, large):
    words = ("-m", "box", "--font", "STIXGeneral")
    for kind in "svg", "pdf":
        assert dpid(*HERE, *words, "-o", f"a.{kind}").exit_code == 0
    assert b"STIXGeneral" in Path("a.pdf").read_bytes() and "STIXGeneral" in Path("a.svg").read_text()


# Insets


def test_insets_show_the_whole_output_and_connect(dpid, large):
    words = ("-m", "dpid", "--style", "inset", "--closeup", "40,80,80,64")
    assert (
        dpid(*HERE, *words, "-o", "a.png").exit_code == 0
        and dpid(*HERE, *words, "-o", "a.svg").exit_code == 0
    )
    sheet, output = pixels("a.png")[..., :3], dpid_cli.downscale(large, scale=4)
    zoom = zoom_of(sheet, output[20:36, 10:30])
    assert places(sheet, enlarged(large[80:144, 40:120], zoom // 4))
    # Above the frame, nothing covers the whole output.
    whole = zoom_of(sheet, output[:18])
    ((left, top),) = places(sheet, enlarged(output[:18], whole))
    ((inset_left, inset_top),) = places(sheet, enlarged(output[20:36, 10:30], zoom))
    root = ElementTree.parse("a.svg").getroot()
    paths = [
        element.attrib["d"]
        for element in root.iter(f"{SVG}path")
        if "stroke: #e69f00" in element.get("style", "")
    ]
    ends = [[2 * float(number) for number in re.findall(r"[\d.]+", path)] for path in paths]
    own = [line for line in ends if line[0] >= left]
    assert len(ends) == 4 and len(own) == 2
    for line, mark, corner in zip(own, (10, 30), (inset_left, inset_left + 20 * zoom), strict=True):
        assert line[0] == pytest.approx(left + mark * whole, abs=5)
        assert line[1] == pytest.approx(top + 36 * whole, abs=5)
        assert line[2] == pytest.approx(corner, abs=5) and line[3] == pytest.approx(inset_top, abs=5)


def test_insets_of_a_large_output(dpid, folder):
    source = np.random.default_rng(3).integers(0, 256, (900, 1400, 3), np.uint8)
    Image.fromarray(source).save("photo.png")
    words = (
        "compare",
        "photo.png",
        "-s",
        "1.4",
        "-m",
        "box",
        "--style",
        "inset",
        "--closeup",
        "140,70,56,56",
    )
    assert dpid(*words, "-o", "a.png").exit_code == 0
    output = dpid_cli.downscale(source, scale=1.4, method="box")
    assert zoom_of(pixels("a.png")[..., :3], output[50:90, 100:140]) > 1


# Plots


def test_plot(dpid, large):
    words = ("-m", "box", "-m", "dpid", "--sweep", "lambda=0:1.5:0.5", "--plot", "-o", "a.svg", "--json")
    record = json.loads(dpid(*HERE, *words).stdout)
    numbers = {result["variant"]: result["numbers"] for result in record["results"]}
    assert numbers.keys() == {
        "box",
        *(f"dpid:lambda={x}" for x in ("0", "0.5", "1", "1.5")),
        "dpid:lambda=auto",
    }
    (found,) = [r["parameters"]["lambda"] for r in record["results"] if r["variant"].endswith("auto")]
    texts = texts_of("a.svg")
    assert f"dpid, λ = {found:g} (auto)" in texts and "box" in texts
    assert "detail kept (%)" in texts and "noise added (levels of 255)" in texts
    root = ElementTree.parse("a.svg").getroot()
    (curve,) = [e.attrib["d"] for e in root.iter(f"{SVG}path") if "stroke: #d55e00" in e.get("style", "")]
    drawn = np.array(re.findall(r"[\d.]+", curve), float).reshape(-1, 2)
    measured = np.array(
        [
            (n["noise_added"], n["detail_kept"])
            for x in ("0", "0.5", "1", "1.5")
            if (n := numbers[f"dpid:lambda={x}"])
        ]
    )
    for axis, sign in ((0, 1), (1, -1)):  # linear, noise to the right and detail upwards
        line = np.polyfit(measured[:, axis], drawn[:, axis], 1)
        np.testing.assert_allclose(np.polyval(line, measured[:, axis]), drawn[:, axis], atol=0.01)
        assert sign * line[0] > 0


def test_plots_that_would_be_empty(dpid, folder):
    Image.new("RGB", (60, 60), "gray").save("flat.png")
    result = dpid("compare", "flat.png", "-s", "4", "--plot", "-o", "plot.png")
    told = "flat.png: has no contrast, so there is nothing to plot: leave --plot out\n"
    assert (result.exit_code, result.stderr) == (1, told) and not Path("plot.png").exists()
    result = dpid("compare", "flat.png", "-s", "4", "--plot", "--no-metrics", "-o", "plot.png")
    assert result.exit_code == 2 and "--no-metrics leaves nothing to plot" in result.stderr


def test_plot_of_another_method(dpid, large):
    """Which has no lambda to go along."""
    assert dpid(*HERE, "--plot", "-m", "lanczos", "-o", "plot.png").exit_code == 0


def test_plot_by_default(dpid, large):
    assert dpid(*HERE, "--plot", "-o", "a.svg", "--title", "A title").exit_code == 0
    texts = texts_of("a.svg")
    assert "A title" in texts and "dpid, λ = 2" in texts and "box" in texts
    assert sum("(auto)" in text for text in texts) == 1


# LaTeX


def tex_of(dpid, *words: str) -> str:
    result = dpid(*HERE, *words, "-o", "figure.tex", "--overwrite")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "figure.tex")
    return Path("figure.tex").read_text()


def test_latex_files(dpid, large):
    tex = tex_of(dpid, "-m", "box", "-m", "dpid:lambda=0.5", "-m", "dpp", "--closeup", "40,80,80,64")
    names = re.findall(r"\\includegraphics\[[^]]*\]\{([^}]*)\}", tex)
    assert listing(Path()).keys() == {"photo.png", "figure.tex", "figure.bib", *names}
    crop = dpid_cli.downscale(large, scale=4, lambda_=0.5)[20:36, 10:30]
    shown = [pixels(name) for name in names]
    assert (
        sum(any(np.array_equal(image, enlarged(crop, zoom)) for zoom in range(1, 33)) for image in shown) == 1
    )
    caption = re.search(r"\\caption\{(.*)\}\n", tex)[1]
    assert (
        r"photo.png: 360$\times$240 pixels, downscaled to 90$\times$60 by box; dpid, $\lambda$ = 0.5; dpp"
        in caption
    )
    assert (
        r"\cite{weber2016rapid,saeedan2018detail}" in caption
        and f"dpid-cli~{dpid_cli.__version__}" in caption
    )
    cited = re.search(r"```bibtex\n(.*?)```", (ROOT / "docs" / "citing.md").read_text(), re.S)[1]
    assert Path("figure.bib").read_text() == cited


def test_latex_widths(dpid, large):
    for width, points in (("252pt", 252), ("3.5in", 3.5 * 72.27), ("8.9cm", 8.9 / 2.54 * 72.27)):
        tex = tex_of(dpid, "-m", "box", "--width", width)
        pixel = float(re.search(r"x=([\d.]+)pt", tex)[1])
        count = int(re.search(r"useasboundingbox \(0,0\) rectangle \((\d+),", tex)[1])
        assert pixel * count == pytest.approx(points, abs=0.01)


def test_latex_sums_up_sweeps(dpid, large):
    tex = tex_of(dpid, "-m", "dpp:alpha=0.1", "--sweep", "lambda=0:2:0.5")
    assert r"by dpp, $\alpha$ = 0.1, $\lambda$ = 0 to 2~\cite{saeedan2018detail}" in tex


def test_latex_replaces_nothing_unasked(dpid, large):
    Path("figure.bib").write_text("mine")
    result = dpid(*HERE, "-m", "box", "-o", "figure.tex")
    assert (
        result.exit_code == 1 and is_one_error_line(result.stderr) and "figure.bib: exists" in result.stderr
    )
    assert listing(Path()).keys() == {"photo.png", "figure.bib"}
    shutil.copy("photo.png", "figure-1.png")
    result = dpid("compare", "figure-1.png", "-s", "4", "-m", "box", "-o", "figure.tex", "--overwrite")
    assert result.exit_code == 1 and "figure-1.png: this is an input" in result.stderr
    assert np.array_equal(pixels("figure-1.png"), large) and not Path("figure.tex").exists()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex (texlive-latex-base) is not installed")
@pytest.mark.parametrize(
    "words",
    [
        ["--style", "inset", "--closeups", "2"],
        ["--metrics", "--no-timing", "--title", '50 % of {a_b} \\input{x} #1 $x^2$ ~ & <é> "漢"'],
        ["--plot"],
        ["-m", "dpp", "--sweep", "lambda=0,1", "--sweep", "alpha=0,0.1", "--theme", "dark"],
    ],
)
def test_latex_compiles(dpid, large, words):
    tex_of(dpid, *words, "--width", "252pt")
    Path("paper.tex").write_text(
        r"\documentclass{article}\usepackage{tikz}\begin{document}\input{figure}\ref{fig:figure}\end{document}"
    )
    for name in "figure", "paper":
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        assert b"Output written" in done.stdout and Path(f"{name}.pdf").stat().st_size > 5000
        assert b"Overfull" not in done.stdout and b"Missing character" not in done.stdout


@pytest.mark.skipif(
    shutil.which("pdflatex") is None or shutil.which("pdftoppm") is None,
    reason="pdflatex (texlive-latex-base) or pdftoppm (poppler-utils) is not installed",
)
def test_latex_shows_every_pixel(dpid, large):
    tex = tex_of(dpid, "-m", "dpid", "--closeup", "40,80,80,64")
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "figure.tex"], capture_output=True, check=True)
    command = ["pdftoppm", "-r", "300", "-png", "-singlefile", "figure.pdf", "page"]
    subprocess.run(command, check=True)
    page = pixels("page.png")[..., :3].astype(int)
    crop = dpid_cli.downscale(large, scale=4)[20:36, 10:30]
    width = float(re.findall(r"width=([\d.]+)pt", tex)[-1]) / 72.27 * 300 / 20  # of a pixel, on the page
    centres = [np.rint((np.arange(side) + 0.5) * width).astype(int) for side in crop.shape[:2]]
    found = np.argwhere(np.abs(page - crop[0, 0]).max(axis=2) <= 2) - [centres[0][0], centres[1][0]]
    last = np.array([centres[0][-1], centres[1][-1]])
    found = found[((found >= 0) & (found + last < page.shape[:2])).all(axis=1)]
    for y, row in zip(centres[0], crop, strict=True):
        for x, colour in zip(centres[1], row, strict=True):
            found = found[np.abs(page[found[:, 0] + y, found[:, 1] + x] - colour).max(axis=1) <= 2]
    assert len(found)  # places on the page where every pixel has its colour
