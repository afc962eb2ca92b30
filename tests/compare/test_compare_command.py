"""`dpid compare` on the command line: its output, its files and its errors."""

from __future__ import annotations

import csv
import json
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command import ROOT, SAMPLES, is_one_error_line, listing, pixels, process


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
    columns = ["detail kept %", "noise added of 255", "likeness to input", "SSIM", "PSNR dB"]
    assert re.split("  +", heading.strip())[:5] == columns and "time" not in heading
    assert [re.split("  +", line)[0] for line in lines] == ["dpid, λ = 1", "dpp, λ = 1", "box", "max"]
    assert listing(photo.parent).keys() == {"photo.png"}
    assert len({len(line) for line in [heading, *lines]}) == 1
    assert "time" in dpid("compare", "photo.png", "-s", "4", "-m", "box").stdout


def test_tables_of_several_images_have_names(dpid, photo, noise):
    Image.fromarray(255 - noise).save("other.png")
    result = dpid("compare", "photo.png", "other.png", "-s", "4", "-m", "box", "--no-timing")
    first, second = (block.splitlines() for block in result.stdout.split("\n\n"))
    assert (first[0], second[0]) == ("photo.png", "other.png")
    assert [line.split()[0] for line in (first[1], first[2], second[1], second[2])] == ["detail", "box"] * 2


def test_the_size_of_what_was_written(dpid, photo, noise):
    for name in "a.png", "a.html", "a.tex":
        result = dpid("compare", "photo.png", "-s", "4", "-m", "box", "-o", name)
        told = re.fullmatch(rf"{name}: (\d+) kB\n", result.stderr)
        files = [Path(name)]
        if name == "a.tex":
            files += [*Path().glob("a-*.png"), Path("a.bib")]
        size = sum(path.stat().st_size for path in files)
        assert abs(1000 * int(told[1]) - size) <= 500
        result = dpid("compare", "photo.png", "-s", "4", "-m", "box", "--json", "--overwrite", "-o", name)
        assert abs(json.loads(result.stdout)["output_bytes"] - size) < 100
    assert dpid("compare", "photo.png", "-s", "4", "-m", "box", "-q", "-o", "b.png").stderr == ""
    result = dpid("compare", ".", "-s", "4", "-m", "box", "-o", "report.html")
    size = sum(path.stat().st_size for path in (Path("report.html"), *Path("report").iterdir()))
    pages, told = re.fullmatch(r"report.html and (\d+) pages: (\d+) kB\n", result.stderr).groups()
    assert int(pages) == len(list(Path("report").iterdir())) and abs(1000 * int(told) - size) <= 500


def test_large_outputs_are_named(dpid, folder):
    noise = np.random.default_rng(0).integers(0, 256, (2700, 2700, 3), np.uint8)
    Image.fromarray(noise).save("large.png", compress_level=0)
    words = ("compare", "large.png", "-s", "1", "-m", "nearest", "--closeups", "0", "-o", "a.png")
    result = dpid(*words)
    assert Path("a.png").stat().st_size > 20_000_000
    assert re.fullmatch(r"a.png: 2\d\.\d MB, much for mail and browsers: .*\n", result.stderr)
    assert is_one_error_line(result.stderr)


def test_json(dpid, photo):
    words = ("-m", "dpid:lambda=0.5", "-m", "box", "--closeup", "0,0,8,8", "--json", "-o", "a.html")
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
    assert json.loads(plain.stdout)["results"][0]["places"] == []


def test_numbers_of_places_in_json(dpid, folder):
    noise = np.random.default_rng(5).integers(0, 256, (160, 160), np.uint8)
    noise[:80, :80] = 100 + noise[:80, :80] // 8
    Image.fromarray(noise).save("photo.png")
    words = ("-m", "dpid", "--closeup", "0,0,80,80", "--closeup", "80,80,80,80", "--json")
    (result,) = json.loads(dpid("compare", "photo.png", "-s", "4", *words).stdout)["results"]
    quiet, loud = result["places"]
    assert quiet.keys() == loud.keys() == {"detail_kept", "noise_added", "likeness"}
    assert quiet.keys() <= result["numbers"].keys()
    assert loud["noise_added"] > 4 * quiet["noise_added"] > 0


@pytest.mark.parametrize("name", ["=1+2.png", "+1.png", "-1.png", "@A1.png", "\t=1.png", "'=1.png", "'1.png"])
def test_csv_contains_no_formulas(dpid, photo, name):
    photo.rename(name)
    assert dpid("compare", "-s", "4", "--csv", "numbers.csv", "--no-timing", "-q", "--", name).exit_code == 0
    with Path("numbers.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["input"] for row in rows} == {name if name == "'1.png" else f"'{name}"}
    assert not any(cell.startswith("'") for row in rows for key, cell in row.items() if key != "input")


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
    error, size = result.stderr.splitlines(keepends=True)
    assert result.exit_code == 1 and is_one_error_line(error)
    assert size.startswith("re port.html and 3 pages: ")
    pages = ["re port/a.html", "re port/b #?%.html", "re port/b #?%-2.html"]
    assert result.stdout.splitlines() == [*pages, "re port.html"]
    index = Path("re port.html").read_text()
    page = Page(index)
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {link.partition("#")[0] for link in links} == {link for link in links if "#" not in link}
    links = [link for link in links if "#" not in link]
    assert links == ["re%20port/a.html", "re%20port/b%20%23%3F%25.html", "re%20port/b%20%23%3F%25-2.html"]
    assert any(text.startswith("broken.png: ") for text in page.texts)
    assert sum(tag == "img" for tag, _ in page.tags) == 3 * (1 + 4)  # thumbnails, and crops of all outputs
    back = [a["href"] for tag, a in Page(Path(pages[1]).read_text()).tags if tag == "a"]
    assert back == ["../re%20port.html#image-2", "a.html", "b%20%23%3F%25-2.html"]
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
        ("photo.png -s 4 --closeup 1,2,3 -o a.png", "is not X,Y,W,H"),
        ("photo.png -s 4 --closeup 55,0,10,10 -o a.png", "exceeds the image, which has 60x40 pixels"),
        ("photo.png -s 4 --closeup 0,0,9,9 --closeups 3 -o a.png", "leave one out"),
        ("photo.png -s 4 --no-metrics", "nothing to do"),
        ("photo.png -s 4 --no-timing -o a.png", "--no-timing needs metrics"),
        ("photo.png -s 4 --columns 3 -o a.html", "--columns needs a sheet"),
        ("photo.png -s 4 --font-size 9 -o a.html", "--font-size needs a sheet"),
        ("photo.png -s 4 --title x", "--title needs a figure"),
        ("photo.png -s 4 --zoom 3", "--zoom needs a sheet"),
        ("photo.png -s 4 --ground white -o a.html", "--ground needs a sheet"),
        ("photo.png -s 4 --plot", "--plot needs a sheet"),
        ("photo.png -s 4 --plot --columns 3 -o a.png", "--columns does nothing with --plot"),
        ("photo.png -s 4 --plot --closeup 0,0,8,8 -o a.png", "--closeup does nothing with --plot"),
        ("photo.png -s 4 --plot --sweep lambda=0,1 --sweep alpha=0,1 -o a.png", "--plot shows one sweep"),
        ("photo.png -s 4 --width 252pt", "--width with a unit needs a sheet"),
        ("photo.png -s 4 --width 252pt -o a.html", "--width with a unit needs a sheet"),
        ("photo.png -s 4 --width 252pt --width 3in -o a.png", "--width: give at most one in pixels"),
        ("photo.png -s 4 --width 252ft -o a.png", "--width"),
        ("photo.png -s 4 --width 1pt -o a.png", "--width"),
        ("photo.png -s 4 --width 99.5px -o a.png", "--width"),
        ("photo.png -s 4 --width 100px --columns 9 -o a.png", "is too narrow for 9 columns"),
        ("photo.png -s 4 --font-size 2pt -o a.png", "--font-size"),
        ("photo.png -s 4 --font Nonesuch -o a.png", "--font: 'Nonesuch' is not installed"),
        ("photo.png -s 4 --font STIXGeneral -o a.tex", "has the font of its document"),
        ("photo.png -s 4 --style inset --sweep lambda=0,1 --sweep alpha=0,1 -m dpp -o a.png", "leave one"),
        ("photo.png -s 4 --style inlay -o a.png", "--style"),
        ("photo.png -s 4 --style inset --closeups 0 -o a.png", "--style inset needs an enlarged part"),
        ("photo.png -s 1 --closeups 0 --zoom 64 --columns 5 -o a.webp", "too many for a webp file"),
        ("photo.png -s 4 --closeups 3", "--closeup needs a figure"),
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


def test_the_plain_installation_draws_figures():
    """Whatever draws them is no extra; older instructions with the extra still work."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert any(name.startswith("matplotlib") for name in project["dependencies"])
    assert project["optional-dependencies"]["figures"] == []


def test_only_sheets_import_matplotlib(photo):
    code = "import sys; sys.modules['matplotlib'] = None; from dpid_cli.cli import main; main(sys.argv[1:])"
    run = [sys.executable, "-c", code, "compare", "photo.png", "-s", "4", "-m", "box"]
    for words in [], ["-o", "a.html"]:
        assert subprocess.run([*run, *words], capture_output=True).returncode == 0


def test_sheets_without_numbers_import_no_scipy(photo):
    code = """
import atexit, sys
atexit.register(lambda: print('scipy' in sys.modules, 'numba' in sys.modules, file=sys.stderr))
from dpid_cli.cli import main
main(sys.argv[1:])"""
    words = ("compare", "photo.png", "-s", "4", "-m", "box", "-o", "a.png")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "False False"


def test_columns_zoom_and_title(dpid, photo, noise):
    words = ("--columns", "1", "--zoom", "9", "--title", "T" * 400, "--font-size", "20", "-m", "box")
    assert dpid("compare", "photo.png", "-s", "2", *words, "-o", "a.png").exit_code == 0
    height, width = pixels("a.png").shape[:2]
    assert width == 12 + (30 * 8 + 2) + 12 and height > 4 * width
