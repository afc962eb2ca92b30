"""`dpid compare` on the command line: its output, its files and its errors."""

from __future__ import annotations

import csv
import json
import re
import shutil
import statistics
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command import SAMPLES, is_one_error_line, listing, pixels, process


class Page(HTMLParser):
    """The tags of a page with their attributes, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def test_numbers_on_standard_output(dpid, photo):
    result = dpid("compare", "photo.png", "-s", "4", "--no-timing")
    assert (result.exit_code, result.stderr) == (0, "")
    heading, *lines = result.stdout.splitlines()
    assert heading.split()[:3] == ["SSIM", "PSNR", "dB"] and "time" not in heading
    assert [re.split("  +", line)[0] for line in lines] == ["dpid, λ = 1", "dpp, λ = 1", "box", "max"]
    assert listing(photo.parent).keys() == {"photo.png"}
    assert len({len(line) for line in [heading, *lines]}) == 1
    assert "time" in dpid("compare", "photo.png", "-s", "4", "-m", "box").stdout


def test_json(dpid, photo):
    words = ("-m", "dpid:lambda=0.5", "-m", "box", "--crop", "0,0,8,8", "--json", "-o", "a.html")
    result = dpid("compare", "photo.png", "-s", "4", *words)
    told = json.loads(result.stdout)
    assert (told["input"], told["output"]) == ("photo.png", "a.html")
    assert (told["input_size"], told["output_size"]) == ([60, 40], [15, 10])
    assert told["regions"] == [{"left": 0, "top": 0, "right": 2, "bottom": 2}]
    first, second = told["results"]
    assert first["variant"] == "dpid:lambda=0.5" and first["parameters"]["lambda"] == 0.5
    assert first["parameters"]["guidance"] == "gaussian"
    assert second["method"] == "box" and second["numbers"]["noise_gain"] == 1
    assert second["numbers"]["seconds"] > 0
    speed = second["numbers"]["megapixels_per_second"]
    assert speed == pytest.approx(0.0024 / second["numbers"]["seconds"])
    plain = dpid("compare", "photo.png", "-s", "4", "-o", "b.png", "--json")
    assert json.loads(plain.stdout)["results"][0]["numbers"] is None


def test_csv_of_many(dpid, photo, noise):
    Image.fromarray(255 - noise).save("other.png")
    words = ("--csv", "numbers.csv", "--no-timing", "-q")
    assert dpid("compare", "photo.png", "other.png", "-s", "4", *words).exit_code == 0
    with Path("numbers.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["input"], row["variant"]) for row in rows] == [
        (name, method) for name in ("photo.png", "other.png") for method in ("dpid", "dpp", "box", "max")
    ]
    told = json.loads(dpid("compare", "other.png", "-s", "4", "--json", "--no-timing").stdout)
    for row, result in zip(rows[4:], told["results"], strict=True):
        for name, value in result["numbers"].items():
            assert row[name] == ("" if value is None else f"{value:.10g}")


def test_a_constant_image_has_no_noise_to_gain(dpid, folder):
    Image.new("RGB", (64, 48), (90, 120, 30)).save("flat.png")
    told = json.loads(dpid("compare", "flat.png", "-s", "4", "--json").stdout)
    for result in told["results"]:
        numbers = result["numbers"]
        assert (numbers["contrast"], numbers["gradient"], numbers["noise_gain"]) == (0, 0, 1)


def test_the_input_is_in_the_colours_of_the_results(dpid, folder):
    """At scale 1, the output equals the input, even if colours are converted."""
    sample = SAMPLES / "rocket.jpg"
    with Image.open(sample) as rocket:  # in Adobe RGB
        rocket.crop((0, 200, 64, 264)).save("crop.png")
    words = ("-s", "1", "-m", "box", "--to-srgb", "--json", "-o", "sheet.png", "--metrics")
    told = json.loads(dpid("compare", "crop.png", *words).stdout)
    assert told["results"][0]["numbers"]["ssim"] == pytest.approx(1)
    with Image.open("sheet.png") as sheet:
        assert "sRGB".encode("utf-16-be") in sheet.info["icc_profile"]


def test_report_of_a_folder(dpid, folder, noise):
    (folder / "in put").mkdir()
    for i, name in enumerate(("a.png", "b #?%.png", "b #?%.jpg")):
        Image.fromarray(np.roll(noise, 10 * i, axis=0)[: 40 - i]).save(folder / "in put" / name)
    (folder / "in put" / "broken.png").write_bytes(b"no picture")
    (folder / "in put" / "notes.txt").write_text("no picture either")
    result = dpid("compare", "in put", "-s", "4", "-o", "re port.html", "--no-timing", "--csv", "n.csv")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    pages = ["re port/a.html", "re port/b #?%.html", "re port/b #?%-2.html"]
    assert result.stdout.splitlines() == [*pages, "re port.html"]
    index = Path("re port.html").read_text()
    page = Page(index)
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["re%20port/a.html", "re%20port/b%20%23%3F%25.html", "re%20port/b%20%23%3F%25-2.html"]
    assert any(text.startswith("broken.png: ") for text in page.texts)
    assert sum(tag == "img" for tag, _ in page.tags) == 3
    back = [a["href"] for tag, a in Page(Path(pages[1]).read_text()).tags if tag == "a"]
    assert back == ["../re%20port.html"]
    with Path("n.csv").open(newline="") as stream:
        psnr = [float(row["psnr"]) for row in csv.DictReader(stream) if row["variant"] == "max"]
    column = re.findall('<th scope="col"[^>]* data-name="([^"]*)"', index).index("PSNR dB")
    row = re.search(r'<th scope="row">max</th>(.*?)</tr>', index)[1]
    mean, spread = re.findall(r"\d+\.\d+", row.split("</td>")[column - 1])
    assert float(mean) == pytest.approx(statistics.fmean(psnr), abs=0.005)
    assert float(spread) == pytest.approx(statistics.stdev(psnr), abs=0.005)


@pytest.mark.parametrize(
    ("inputs", "output", "other"),
    [
        ("photos", "photos.html", "photos-pages.html"),
        ("link", "photos.html", "photos-pages.html"),
        ("photos", "link.html", "photos-pages.html"),
        ("photos/summer", "photos.html", "photos/summer-pages.html"),
        ("photos/a.png photos/x.png", "photos.html", "photos-pages.html"),
    ],
)
def test_pages_stay_away_from_the_inputs(dpid, photo, inputs, output, other):
    Path("photos/summer").mkdir(parents=True)
    for name in "a.png", "x.png", "summer/a.png":
        shutil.copy(photo, Path("photos", name))
    Path("photos/x.html").write_text("mine")
    Path("link").symlink_to("photos")
    before = listing(photo.parent)
    words = ("compare", *inputs.split(), "-s", "4", "-m", "box", "--overwrite", "-o")
    result = dpid(*words, output)
    assert result.exit_code == 2 and is_one_error_line(result.stderr)
    assert result.stderr.endswith(f"such as -o {other}\n")
    assert listing(photo.parent) == before and Path("photos/x.html").read_text() == "mine"
    assert dpid(*words, other).exit_code == 0


def test_many_numbers_without_a_report(dpid, photo, noise):
    Image.fromarray(255 - noise).save("other.png")
    result = dpid("compare", ".", "-s", "4", "-m", "box", "--json")
    assert [json.loads(line)["input"] for line in result.stdout.splitlines()] == ["other.png", "photo.png"]


def test_standard_input(photo):
    done = process("compare", "-", "-s", "4", "-m", "box", "-o", "a.html", input=photo.read_bytes())
    assert (done.returncode, done.stdout) == (0, done.stdout) and b"a.html" in done.stdout
    assert "standard input" in Path("a.html").read_text()


def test_found_places_are_where_methods_differ(dpid, folder):
    flat = np.full((320, 480), 90, np.uint8)
    flat[40:72:4, 360:392:4] = 255  # stars, where max and box differ most
    Image.fromarray(flat).save("stars.png")
    result = dpid("compare", "stars.png", "-s", "4", "-m", "max", "-m", "box", "--crops", "1", "--json")
    (found,) = json.loads(result.stdout)["regions"]
    assert found["left"] <= 90 and found["right"] >= 98 and found["top"] <= 10 and found["bottom"] >= 18


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("photo.png -s 4 -o a.gif", "unknown extension"),
        ("photo.png -s 4 -o a", "unknown extension"),
        ("photo.png photo.png -s 4 -o a.png", "a sheet shows one image"),
        (". -s 4 -o a.png", "a sheet shows one image"),
        ("photo.png -o a.png", "no size is given"),
        ("photo.png -s 4 --width 9 -o a.png", "give only one kind of size"),
        ("photo.png -s 4 -m dpidd -o a.png", "--method dpidd"),
        ("photo.png -s 4 -m dpid:guidance=none -o a.png", "guidance: 'none' is not known"),
        ("photo.png -s 4 --sweep power=1,2 -o a.png", "applies to no method"),
        ("photo.png -s 4 --sweep lambda=-1:1:1 -o a.png", "lambda must be"),
        ("photo.png -s 4 --crop 1,2,3 -o a.png", "is not X,Y,W,H"),
        ("photo.png -s 4 --crop 55,0,10,10 -o a.png", "exceeds the image, which has 60x40 pixels"),
        ("photo.png -s 4 --crop 0,0,9,9 --crops 3 -o a.png", "leave one out"),
        ("photo.png -s 4 --no-metrics", "nothing to do"),
        ("photo.png -s 4 --no-timing -o a.png", "--no-timing needs metrics"),
        ("photo.png -s 4 --columns 3 -o a.html", "--columns needs a sheet"),
        ("photo.png -s 4 --font-size 9 -o a.html", "--font-size needs a sheet"),
        ("photo.png -s 4 --title x", "--title needs a figure"),
        ("photo.png -s 4 --zoom 3", "--zoom needs a sheet"),
        ("photo.png -s 4 --crops 3", "--crop needs a figure"),
        ("photo.png -s 4 --no-metrics --csv a.csv -o a.html", "there are no numbers"),
        ("photo.png -s 0.5 -o a.png", "would enlarge the image"),
        ("photo.png -s 4 --zoom 0 -o a.png", "--zoom"),
        ("photo.png -s 4 -o photo.png", "never overwritten"),
        ("photo.png -s 4 --csv photo.png", "never overwritten"),
        ("photo.png -s 4 --csv a.html -o a.html", "has this name"),
        ("none.png -s 4 -o a.png", "none.png: cannot be read"),
        ("photo.png -s 4 -o none/a.png", "cannot be written"),
        ("photo.png -s 4 -o", "requires an argument"),
    ],
)
def test_errors_are_one_line(dpid, photo, words, told):
    before = listing(photo.parent)
    result = dpid("compare", *words.split())
    assert result.exit_code in (1, 2) and result.stdout == ""
    assert is_one_error_line(result.stderr) and told in result.stderr
    assert listing(photo.parent) == before


def test_nothing_is_overwritten_unasked(dpid, photo):
    for name in "a.png", "a.html", "a.csv":
        Path(name).write_text("mine")
        words = ("--csv", name) if name == "a.csv" else ("-o", name)
        result = dpid("compare", "photo.png", "-s", "4", "-m", "box", *words)
        assert result.exit_code == 1 and "exists already" in result.stderr
        assert Path(name).read_text() == "mine"
        assert dpid("compare", "photo.png", "-s", "4", "-m", "box", "--overwrite", *words).exit_code == 0
        assert Path(name).read_bytes() != b"mine"


def test_without_matplotlib(photo):
    code = "import sys; sys.modules['matplotlib'] = None; from dpid_cli.cli import main; main(sys.argv[1:])"
    run = [sys.executable, "-c", code, "compare", "photo.png", "-s", "4", "-m", "box", "-o"]
    done = subprocess.run([*run, "a.png"], capture_output=True, text=True)
    assert done.returncode == 2 and is_one_error_line(done.stderr)
    assert "pip install 'dpid-cli[figures]'" in done.stderr
    done = subprocess.run([*run, "a.html"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_sheets_without_numbers_import_no_scikit_image(photo):
    code = """
import atexit, sys
atexit.register(lambda: print('skimage' in sys.modules, 'numba' in sys.modules, file=sys.stderr))
from dpid_cli.cli import main
main(sys.argv[1:])"""
    words = ("compare", "photo.png", "-s", "4", "-m", "box", "-o", "a.png")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stderr == "False False\n"


def test_columns_zoom_and_title(dpid, photo, noise):
    words = ("--columns", "1", "--zoom", "9", "--title", "T" * 400, "--font-size", "20", "-m", "box")
    assert dpid("compare", "photo.png", "-s", "2", *words, "-o", "a.png").exit_code == 0
    height, width = pixels("a.png").shape[:2]
    assert width == 12 + (30 * 8 + 4) + 12 and height > 4 * width
