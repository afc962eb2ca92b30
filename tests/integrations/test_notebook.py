"""`dpid_cli.show` in real notebooks: what cells display, and what a browser makes of it."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support import chromium
from support.embedded import data_of, outputs_of

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

START = "import numpy as np, dpid_cli\nfrom PIL import Image\n"
NOISE = "image = np.random.default_rng(7).integers(0, 256, (80, 120, 3), np.uint8)\n"


def run(*cells: str):
    """A notebook whose cells have run, in a kernel of its own."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return notebook


def frame_of(cell) -> tuple[str, str]:
    """The tag of the frame that a cell displays, and the page in it."""
    (output,) = (output for output in cell.outputs if output.output_type == "display_data")
    match = re.fullmatch(r'(<iframe [^>]*?) srcdoc="([^"]*)"></iframe>', output.data["text/html"], re.S)
    assert match
    return match[1], html.unescape(match[2])


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A notebook with comparisons of an array, an image of Pillow and a file."""
    folder = tmp_path_factory.mktemp("notebook")
    pixels = np.random.default_rng(3).integers(0, 256, (64, 96), np.uint8)
    Image.fromarray(pixels).save(folder / "gray.png")
    words = 'scale=4, methods=["box", "dpid:lambda=0.5"]'
    return run(
        START + NOISE + f"dpid_cli.show(image, {words}, metrics=True)",
        f"dpid_cli.show(Image.fromarray(image), {words}, height=500, title='a < b')",
        f"dpid_cli.show({str(folder / 'gray.png')!r}, size=(24, 16), sweeps=['lambda=0:2:1'])",
        "result = [dpid_cli.show(image, scale=2, methods=['box'], theme='dark')]\nprint(result)",
    )


@pytest.mark.parametrize("cell", [0, 1])
def test_the_page_has_the_pixels_of_the_library(shown, cell):
    image = np.random.default_rng(7).integers(0, 256, (80, 120, 3), np.uint8)
    outputs = outputs_of(frame_of(shown.cells[cell])[1])
    options = {"box": {"method": "box"}, "dpid:lambda=0.5": {"lambda_": 0.5}}
    assert list(outputs) == list(options)
    for key, pixels in outputs.items():
        np.testing.assert_array_equal(pixels, dpid_cli.downscale(image, scale=4, **options[key]))


def test_frames_have_a_height_and_a_title(shown):
    assert "height: 720px" in frame_of(shown.cells[0])[0]
    tag, page = frame_of(shown.cells[1])
    assert "height: 500px" in tag and 'title="comparison of a &lt; b"' in tag
    assert "<title>a &lt; b" in page
    (output,) = shown.cells[1].outputs
    assert output.data["text/plain"] == "<comparison of a < b>"


def test_numbers_are_measured_on_request(shown):
    pages = [frame_of(cell)[1] for cell in shown.cells]
    assert ["PSNR" in page for page in pages] == [True, False, False, False]


def test_files_have_their_names_and_sweeps_sliders(shown):
    page = frame_of(shown.cells[2])[1]
    data = data_of(page)
    assert data["name"] == "gray.png" and data["size"] == [24, 16]
    assert data["sweeps"]["lambda"]["values"] == ["0", "1", "2"]


def test_it_shows_within_a_cell_and_returns_nothing(shown):
    assert 'data-theme="dark"' in frame_of(shown.cells[3])[1]
    assert any(output.get("text") == "[None]\n" for output in shown.cells[3].outputs)


def test_errors_are_those_of_the_library():
    calls = {
        "dpid_cli.show(image)": "either scale or size",
        "dpid_cli.show(image, scale=2, methods='dpid')": "methods must be a list of texts",
        "dpid_cli.show(image, scale=2, methods=['sinc'])": "sinc",
        "dpid_cli.show(image, scale=2, theme='blue')": "theme must be auto, light or dark",
        "dpid_cli.show(image, scale=2, height=0)": "height must be a finite number above 0",
        "dpid_cli.show(image * 1.0, scale=2)": "give value_range=",
        "dpid_cli.show(image.astype(int), scale=2)": "int64 has no known white",
        "dpid_cli.show(np.zeros((9, 9, 5), np.uint8), scale=2)": "channels",
        "dpid_cli.show(Image.new('CMYK', (9, 9)), scale=2)": "the mode CMYK is not shown",
        "dpid_cli.show(Image.new('P', (9, 9)), scale=2)": "palette",
        "dpid_cli.show('none.png', scale=2)": "none.png",
    }
    cells = [f"try:\n    {call}\nexcept dpid_cli.DpidError as error:\n    print(error)" for call in calls]
    notebook = run(START + NOISE, *cells)
    for cell, (call, message) in zip(notebook.cells[1:], calls.items(), strict=True):
        (output,) = cell.outputs
        assert message in output.text and output.text.count("\n") == 1, call


def test_types_that_are_no_bytes():
    values = "image > 128", "image / 255", "image.astype(np.uint16) * 257"
    words = "scale=4, methods=['box']"
    notebook = run(START + NOISE, *(f"dpid_cli.show({value}, {words})" for value in values))
    image = np.random.default_rng(7).integers(0, 256, (80, 120, 3), np.uint8)
    mean = image.reshape(20, 4, 30, 4, 3).mean(axis=(1, 3))
    shares = 255 * (image > 128).reshape(20, 4, 30, 4, 3).mean(axis=(1, 3))
    for cell, expected in zip(notebook.cells[1:], (shares, mean, mean), strict=True):
        (pixels,) = outputs_of(frame_of(cell)[1]).values()
        np.testing.assert_allclose(pixels, expected, atol=0.51)


def test_without_a_notebook_it_says_what_to_do():
    script = "import dpid_cli\ndpid_cli.show([[0]], scale=1)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.endswith("show: there is no notebook: use dpid compare IMAGE -o page.html")


def test_without_ipython_it_says_what_to_install():
    script = "import sys; sys.modules['IPython'] = None\nimport dpid_cli\ndpid_cli.show([[0]], scale=1)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last == (
        "ModuleNotFoundError: dpid_cli.show: IPython is missing: pip install 'dpid-cli[notebook]'"
    )


def test_a_browser_runs_the_page_in_its_frame(shown, folder):
    """Sliders and zoom work in a frame, which has no address that could be written."""
    tag, page = frame_of(shown.cells[2])
    text = f"<!DOCTYPE html><title>notebook</title>{tag} srcdoc='{html.escape(page)}'></iframe>"
    Path("notebook.html").write_text(text, encoding="utf-8")
    with (
        chromium.launched() as browser,
        chromium.opened(browser, (folder / "notebook.html").as_uri()) as outer,
    ):
        outer.wait_for_selector("iframe")
        frame = outer.frames[1]
        frame.wait_for_selector("html[data-ready]")
        assert frame.evaluate("location.href") == "about:srcdoc"
        assert frame.evaluate("getComputedStyle(document.getElementById('copy-link')).display") == "none"
        assert frame.evaluate("document.documentElement.clientHeight") >= 700
        frame.locator("#slider-lambda").press("ArrowRight")
        chromium.until(frame, "Address.values().right.startsWith('dpid:lambda=1.')")  # a worker made it
        outer.wait_for_timeout(1000)  # an address would be written by then, and refused
