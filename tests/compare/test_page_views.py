"""This view, saved by the page as PNG, SVG and TikZ, against the library's outputs and the screen."""

from __future__ import annotations

import base64
import io
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from support.browsing import choose, expected, shown
from support.chromium import until
from support.command import pixels

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = 'it\'s "<script>alert(1)<" & $HOME \\input{x} %_^~ λ.png'


def saved(page, button: str) -> Path:
    """The file that a button of the menu saves, under the name that the page gives it."""
    page.focus("#view")
    page.keyboard.press("v")
    with page.expect_download() as download:
        page.click(button)
    path = Path(download.value.path()).with_name(download.value.suggested_filename)
    download.value.save_as(path)
    return path


def view_of(page, kind: str) -> Path:
    return saved(page, f"[data-view={kind}]")


def trimmed(pixels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The part of a view in which there is an image; -1 marks the rest."""
    rows, columns = ((wanted[..., 0] >= 0).any(axis=axis).nonzero()[0] for axis in (1, 0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def halves(page, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is visible of two outputs on both sides of the divider."""
    views = [expected(page, output) for output in (left, right)]
    at = round(page.evaluate("View.state.split") * views[0].shape[1])
    return trimmed(views[0][:, :at], views[0][:, :at]), trimmed(views[1][:, at:], views[1][:, at:])


def joined(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two halves, with the divider: black with a white middle."""
    both, at = np.hstack([left, right]), left.shape[1]
    both[:, at - 2 : at + 2] = 0
    both[:, at - 1 : at + 1] = 255
    return both


def images_in(svg: ElementTree.Element) -> list[np.ndarray]:
    """The pixels of the images in an SVG, from its data URLs."""
    contents = [image.get("href").partition("base64,")[2] for image in svg.iter(f"{SVG}image")]
    return [np.array(Image.open(io.BytesIO(base64.b64decode(content)))) for content in contents]


def test_a_png_has_both_sides_of_the_divider_below_labels(page, results):
    choose(page, "box", "max")
    page.evaluate("View.zoomTo(7); View.setSplit(0.4)")
    path = view_of(page, "png")
    wanted = joined(*halves(page, results["box"], results["max"]))
    seen = pixels(path)
    strip = seen.shape[0] - wanted.shape[0]
    assert path.name == "photo_box-max_view.png" and strip > 15
    np.testing.assert_array_equal(seen[strip:], wanted)
    for part in (seen[:strip, : wanted.shape[1] // 2], seen[:strip, wanted.shape[1] // 2 :]):
        assert part.min() < 90 and (part == 255).mean() > 0.6  # black words on white
    with Image.open(path) as image:
        notes = image.info["Description"].splitlines()
    assert notes[0] == "photo.png: box, plain average | max"
    assert "-m max -o photo_max_60x40.png" in notes[3] and "enlarged 7 times" in notes[1]


def test_an_svg_has_pixels_and_text(page, results):
    choose(page, "dpid, λ = 0.5", "dpid, λ = 1")
    svg = ElementTree.parse(view_of(page, "svg")).getroot()
    wanted = halves(page, results["dpid, λ = 0.5"], results["dpid, λ = 1"])
    for seen, half in zip(images_in(svg), wanted, strict=True):
        np.testing.assert_array_equal(seen, half)
    assert [text.text for text in svg.iter(f"{SVG}text")] == ["dpid, λ = 0.5", "dpid, λ = 1"]
    assert float(svg.get("width")) == sum(half.shape[1] for half in wanted)
    assert svg.find(f"{SVG}title").text.startswith("photo.png: dpid, λ = 0.5 | ")
    assert all("pixelated" in image.get("style") for image in svg.iter(f"{SVG}image"))


def test_browsers_show_the_svg_as_the_png(page, browser):
    svg, png = (view_of(page, kind) for kind in ("svg", "png"))
    wanted = pixels(png)
    height, width = wanted.shape[:2]
    other = browser.new_page(viewport={"width": width, "height": height})
    other.goto(svg.as_uri())
    seen = np.array(Image.open(io.BytesIO(other.screenshot())).convert("RGB"))
    other.close()
    np.testing.assert_array_equal(seen[30:], wanted[30:])


def test_side_by_side_has_two_whole_panes(page, results):
    choose(page, "box", "max")
    page.check("input[value=beside]")
    svg = ElementTree.parse(view_of(page, "svg")).getroot()
    half = page.evaluate("View.paneWidth()")
    views = [expected(page, results[label])[:, :half] for label in ("box", "max")]
    images = images_in(svg)
    for seen, view in zip(images, views, strict=True):
        np.testing.assert_array_equal(seen, trimmed(view, view))
    lefts = [float(image.get("x")) for image in svg.iter(f"{SVG}image")]
    assert lefts[0] == 0 and lefts[1] > images[0].shape[1]  # a gap
    assert [float(text.get("x")) for text in svg.iter(f"{SVG}text")] == lefts


def test_one_image_alone(page, results):
    """While they blink, the one that is shown; beyond the divider, none."""
    choose(page, "box", "max")
    page.check("input[value=blink]")
    page.click("#blink")
    page.evaluate("View.state.second = true")
    svg = ElementTree.parse(view_of(page, "svg")).getroot()
    assert [text.text for text in svg.iter(f"{SVG}text")] == ["max"]
    view = expected(page, results["max"])
    np.testing.assert_array_equal(images_in(svg)[0], trimmed(view, view))
    page.check("input[value=swipe]")
    page.evaluate("View.setSplit(1)")
    assert view_of(page, "png").name == "photo_box_view.png"


@pytest.mark.parametrize("against", ["box", "input"])
def test_the_difference(page, results, against):
    choose(page, "box", "max")
    page.check("input[value=difference]")
    page.select_option("#against", against)
    svg = ElementTree.parse(view_of(page, "svg")).getroot()
    view = expected(page, results["max"])
    np.testing.assert_array_equal(images_in(svg)[0], trimmed(shown(page), view))
    title = {"box": "max − box", "input": "|max − input|"}[against]
    assert [text.text for text in svg.iter(f"{SVG}text")] == [title]


def test_reduced_views_have_means_and_say_so(opened, paged, dpid, tmp_path):
    image = np.random.default_rng(3).integers(0, 256, (900, 1400, 4), np.uint8)
    page = opened(paged(image, "-s 1.1 -m box -m max --no-metrics --closeups 0"))
    choose(page, "max", "max")
    page.select_option("#ground", "black")
    page.evaluate("View.setSplit(0); View.zoomTo(1 / 3); View.centre(Layers.width / 2, Layers.height / 2)")
    svg = ElementTree.parse(view_of(page, "svg")).getroot()
    assert [text.text for text in svg.iter(f"{SVG}text")] == ["max, reduced 3×"]
    words = ("-s", "1.1", "-m", "max", "-o", str(tmp_path / "small.png"))
    assert dpid("downscale", str(tmp_path / "photo.png"), *words).exit_code == 0
    output = pixels(tmp_path / "small.png").astype(float)
    height, width = (3 * (side // 3) for side in output.shape[:2])
    blocks = output[:height, :width].reshape(height // 3, 3, width // 3, 3, 4).swapaxes(1, 2)
    light = (blocks[..., :3] * blocks[..., 3:] / 255).mean(axis=(2, 3))
    (seen,) = images_in(svg)
    top, left = page.evaluate("[Math.max(0, -View.state.y), Math.max(0, -View.state.x)]")
    wanted = light[top:, left:][: seen.shape[0], : seen.shape[1]]
    assert np.abs(seen[: wanted.shape[0], : wanted.shape[1]] - wanted).max() <= 1.6  # three roundings


@pytest.mark.parametrize("ground", ["auto", "white", "checker"])
def test_the_ground_is_that_of_the_screen(opened, paged, source, ground):
    image = np.dstack([source, np.tile(np.repeat([0, 255, 99], 80), (160, 1))]).astype(np.uint8)
    page = opened(paged(image, "-s 4 -m box -m max --no-metrics"))
    page.select_option("#ground", ground)
    page.evaluate("View.setSplit(0); View.fit()")
    choose(page, "max", "max")
    (seen,) = images_in(ElementTree.parse(view_of(page, "svg")).getroot())
    screen = trimmed(shown(page), expected(page, np.zeros((40, 60, 3), int)))
    assert np.abs(seen.astype(int) - screen).max() <= 1


def test_the_input_is_exact_and_previews_are_there(opened, paged):
    image = np.random.default_rng(3).integers(0, 256, (1200, 1000, 3), np.uint8)
    page = opened(paged(image, "-s 4 -m box -m max --no-metrics --closeup 400,400,80,80"))
    page.select_option("#right", label="input")
    page.evaluate("View.zoomTo(8); View.centre(110, 110); View.setSplit(0)")
    (seen,) = images_in(ElementTree.parse(view_of(page, "svg")).getroot())
    np.testing.assert_array_equal(seen, shown(page))
    top, left = page.evaluate("[-View.state.y / 8, -View.state.x / 8]")
    row, column = round(8 * (110 - top)), round(8 * (110 - left))
    near = np.kron(image[430:450, 430:450], np.ones((2, 2, 1), np.uint8))
    np.testing.assert_array_equal(seen[row - 20 : row + 20, column - 20 : column + 20], near)


def test_tikz_compiles_to_the_same_pixels(page, results, tmp_path):
    choose(page, "box", "dpid, λ = 0.5")
    path = view_of(page, "tikz")
    wanted = halves(page, results["box"], results["dpid, λ = 0.5"])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        archive.extractall(tmp_path)
    stem = "photo-box-dpid-lambda-0-5-view"
    assert path.name.endswith(".zip") and names == [f"{stem}.tex", f"{stem}-1.png", f"{stem}-2.png"]
    for name, half in zip(names[1:], wanted, strict=True):
        np.testing.assert_array_equal(pixels(tmp_path / name), half)
    text = (tmp_path / names[0]).read_text(encoding="utf-8")
    assert "% dpid downscale photo.png -s 4 --lambda 0.5 -o " in text and "$\\lambda$ = 0.5" in text
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    paper = (
        f"\\documentclass{{article}}\\usepackage{{tikz}}\\begin{{document}}\\input{{{stem}}}\\end{{document}}"
    )
    (tmp_path / "paper.tex").write_text(paper)
    for name in (f"{stem}.tex", "paper.tex"):
        words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        assert name == "paper.tex" or "Overfull" not in done.stdout
    if shutil.which("pdfimages"):
        subprocess.run(["pdfimages", "-png", f"{stem}.pdf", "in-pdf"], cwd=tmp_path, check=True)
        for number, half in enumerate(wanted):
            np.testing.assert_array_equal(pixels(tmp_path / f"in-pdf-{number:03d}.png"), half)


def test_hostile_names_stay_inert_in_figures(opened, paged, source, tmp_path):
    page = opened(paged(source, "-s 4 -m box -m dpid --no-metrics", HOSTILE.removesuffix(".png")))
    svg = ElementTree.parse(view_of(page, "svg")).getroot()
    assert svg.find(f"{SVG}title").text.startswith(HOSTILE)
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} == {
        "svg", "title", "desc", "rect", "image", "g", "text",
    }  # fmt: skip
    with zipfile.ZipFile(view_of(page, "tikz")) as archive:
        archive.extractall(tmp_path / "tex")
    (tex,) = (tmp_path / "tex").glob("*.tex")
    lines = tex.read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("%") for line in lines if "$" in line.replace("$\\lambda$", ""))
    assert "$HOME" in lines[0]
    if shutil.which("pdflatex"):
        words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", tex.name]
        assert subprocess.run(words, cwd=tex.parent, capture_output=True).returncode == 0


def slide(page, value: float) -> None:
    page.evaluate(f"$('slider-lambda').value = {value}; $('slider-lambda').dispatchEvent(new Event('input'))")


def copied(page) -> list[str]:
    words = shlex.split(page.inner_text("#command"))
    assert words[:2] == ["dpid", "downscale"]
    return words[1:]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_output_and_what_its_command_writes_are_equal(opened, paged, dpid, folder, source, channels):
    image = np.dstack([source, 255 - source[..., 0]])[..., :channels].squeeze()
    page = opened(paged(image, "-s 3.7 -m box -m dpid:alpha=0.1 -m max --no-metrics", "it's a photo"))
    for label in ("box", "dpid, λ = 1, α = 0.1", "max", None):
        if label:
            page.select_option("#right", label=label)
        else:
            page.select_option("#right", label="dpid, λ = 1, α = 0.1")
            slide(page, 0.37)
        path = saved(page, "#save-output")
        words = copied(page)
        assert words[-1] == path.name
        done = dpid(*words, "--overwrite")
        assert (done.exit_code, done.stderr) == (0, "")
        np.testing.assert_array_equal(pixels(path), pixels(folder / path.name))


def test_commands_name_the_options_of_the_comparison(dpid, folder, opened, source):
    Image.fromarray(source).save("photo.png")
    options = "--size 70x70 --fit cover --linear --depth 16 --max-pixels 1M --frame 0"
    words = [*options.split(), "-m", "dpp:epsilon=0.05,noise=auto", "--no-metrics"]
    assert dpid("compare", "photo.png", *words, "-o", "page.html").exit_code == 0
    page = opened(folder / "page.html")
    command = copied(page)
    assert "--size 70x70 --fit cover --depth 16 --linear --max-pixels 1000000 --frame 0 -m dpp" in " ".join(
        command
    )
    assert "--epsilon 0.05 --noise auto" in " ".join(command)
    assert dpid(*command).exit_code == 0


def test_the_left_output_has_the_command_if_the_input_is_on_the_right(page):
    choose(page, "max", "input")
    assert "-m max" in page.inner_text("#command") and page.inner_text("#results .badge") == "1"
    choose(page, "input", "input")
    assert not page.is_visible("#results")
    page.keyboard.press("Escape")


def test_the_command_is_copied_or_shown(page):
    page.click("#copy-command")
    until(page, "$('copy-dialog').open || $('copy-command').textContent === 'Copied'")
    if page.evaluate("$('copy-dialog').open"):
        assert page.input_value("#copy-text") == page.inner_text("#command")


def test_the_menu_opens_and_closes_by_keys_and_clicks(page):
    page.focus("#view")
    page.keyboard.press("v")
    assert page.evaluate("document.activeElement.textContent") == "PNG"
    page.keyboard.press("Escape")
    assert not page.is_visible("[data-view=png]")
    assert page.evaluate("document.activeElement.id") == "view"
    page.focus("#save summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.is_visible("[data-view=png]")
    page.click("h1")
    assert not page.is_visible("[data-view=png]")


def test_nothing_visible_is_said(page):
    page.evaluate("View.setMode('swipe'); View.fit(); View.setSplit(0)")
    page.evaluate("View.state.x = View.canvas.width + 5")
    page.focus("#view")
    page.keyboard.press("v")
    page.click("[data-view=png]")
    until(page, "!$('notice').hidden")
    assert page.inner_text("#notice") == "Cannot save it: no image is visible: press 0 to fit it"
