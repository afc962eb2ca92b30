"""dpid pairs: folders of trainers, sub-images, and lists of these."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

import dpid_cli
from support.command import DPID, is_one_error_line, pixels, process
from support.folders import files, lines, make
from support.packets import regions, save


def subimages(image, crop_size, step, thresh_size=0):
    """What BasicSR's extract_subimages does, in our words: all crops, row by row."""
    spaces = []
    for length in image.shape[:2]:
        space = list(np.arange(0, length - crop_size + 1, step))
        if length - (space[-1] + crop_size) > thresh_size:
            space.append(length - crop_size)
        spaces.append(space)
    return [image[y : y + crop_size, x : x + crop_size] for y in spaces[0] for x in spaces[1]]


LAYOUTS = {
    "basicsr": (("-s", "4"), {"HR", "LR_dpid/X4"}),
    "basicsr, more": (("-s", "2", "-s", "4"), {"HR", "LR_dpid/X2", "LR_dpid/X4"}),
    "basicsr, methods": (
        ("-s", "2", "-m", "dpid", "-m", "matlab-bicubic"),
        {"HR", "LR_dpid/X2", "LR_matlab-bicubic/X2"},
    ),
    "basicsr, patches": (("-s", "4", "--patches", "16"), {"HR_sub", "LR_dpid/X4_sub"}),
    "neosr": (("-s", "4"), {"gt", "lq"}),
    "neosr, more": (("-s", "2", "-s", "4", "--patches", "16"), {"gt", "lq/x2", "lq/x4"}),
    "trainner": (("-s", "4"), {"hr", "lr"}),
    "trainner, methods": (("-s", "4", "-m", "box", "-m", "max"), {"hr", "lr/box", "lr/max"}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_folders(dpid, folder, name):
    options, expected = LAYOUTS[name]
    make("in/a.jpg", (40, 33))
    make("in/b.png", (32, 35))
    assert dpid("pairs", "in", "out", "--layout", name.partition(",")[0], *options).exit_code == 0
    found = {str(Path(path).parent) for path in files("out")}
    assert found == expected
    names = {folder: sorted(path.name for path in Path("out", folder).iterdir()) for folder in expected}
    assert len(set(map(tuple, names.values()))) == 1  # trainers match names
    assert all(re.fullmatch(r"[ab](_s\d{3})?\.png", name) for name in names[min(names)])


def test_whole_images_are_those_of_batch(dpid, folder):
    for name in "a.png", "sub/b.png", "sub/deep/c.jpg":
        make(f"in/{name}", (50, 61))
    assert dpid("pairs", "in", "out", "-r", "-s", "2", "-s", "3", "-m", "matlab-bicubic").exit_code == 0
    batch = ("batch", "in", "lr", "-r", "-s", "2", "-s", "3", "-m", "matlab-bicubic", "--multiple-of", "6")
    assert dpid(*batch, "--hr", "hr", "--format", "png").exit_code == 0
    pairs = {"HR": "hr", "LR_matlab-bicubic/X2": "lr/x2", "LR_matlab-bicubic/X3": "lr/x3"}
    for own, other in pairs.items():
        assert files(Path("out", own)) == ["a.png", "sub_b.png", "sub_deep_c.png"]
        for name in files(other):
            same = Path("out", own, name.replace("/", "_"))
            assert same.read_bytes() == Path(other, name).read_bytes()
    assert pixels("out/HR/a.png").shape == (60, 48, 3)


@pytest.mark.parametrize("threshold", [0, 5, 30])
def test_subimages_are_those_of_basicsr(dpid, folder, threshold):
    """Crops of the cropped original, and of its outputs, at the same places."""
    image = np.random.default_rng(3).integers(0, 256, (133, 158, 3), np.uint8)
    Path("in").mkdir()
    Image.fromarray(image).save("in/0001.png")
    options = ("-s", "2", "-s", "3", "--patches", "48", "--step", "24", "--threshold", str(threshold))
    assert dpid("pairs", "in", "out", *options, "-m", "box", "--report", "r.jsonl").exit_code == 0
    image = image[:132, :156]
    ((_, line),) = lines().items()
    for scale, place in (1, "HR_sub"), (2, "LR_box/X2_sub"), (3, "LR_box/X3_sub"):
        whole = image if scale == 1 else dpid_cli.downscale(image, scale=scale, method="box")
        crops = subimages(whole, 48 // scale, 24 // scale, threshold / scale)
        assert files(Path("out", place)) == [f"0001_s{k + 1:03}.png" for k in range(len(crops))]
        for k, crop in enumerate(crops):
            path = f"out/{place}/0001_s{k + 1:03}.png"
            np.testing.assert_array_equal(pixels(path), crop)
            number = line["outputs"].index(path)
            left, top, width, height = map(int, line["crops"][number])
            assert (width, height) == (48, 48) and line["output_sizes"][number] == [48 // scale] * 2
            assert line["methods"][number] == (None if scale == 1 else "box")
            of_original = image[top : top + height, left : left + width]
            expected = (
                of_original if scale == 1 else dpid_cli.downscale(of_original, scale=scale, method="box")
            )
            np.testing.assert_array_equal(crop, expected)  # box looks at nothing outside


def test_meta_info(dpid, folder):
    make("in/b.png", (70, 40))
    make("in/sub/a.png", (33, 49))
    Image.fromarray(np.arange(1600, dtype=np.uint8).reshape(40, 40)).save("in/gray.png")
    make("in/small.png", (20, 90))
    Path("in/broken.png").write_bytes(b"no image")
    run = ("pairs", "in", "out", "-r", "-s", "2", "--patches", "32", "--meta-info", "lists/meta.txt")
    result = dpid(*run, "--report", "r.jsonl", "--json")
    summary = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [summary[key] for key in ("done", "skipped", "failed")] == [3, 1, 1]
    listed = Path("lists/meta.txt").read_text().splitlines()
    names = files("out/HR_sub")
    shapes = {"gray": 1}
    assert listed == [f"{name} (32,32,{shapes.get(name.partition('_s')[0], 3)})" for name in names]
    assert lines()["in/small.png"]["reason"] == "20x90 is smaller than --patches 32"
    # A second run skips what is done, and lists it again.
    make("in/broken.png", (32, 32))
    Path("lists/meta.txt").unlink()
    assert dpid(*run, "--report", "r.jsonl", "--resume").exit_code == 0
    again = Path("lists/meta.txt").read_text().splitlines()
    assert sorted([*listed, "broken_s001.png (32,32,3)"]) == again
    assert dpid(*run, "--overwrite").exit_code == 0
    assert Path("lists/meta.txt").read_text().splitlines() == again


def test_meta_info_of_whole_images(dpid, folder):
    make("in/a.png", (41, 30))
    make("in/b c.png", (16, 12))
    result = dpid("pairs", "in", "out", "-s", "4", "--meta-info", "m.txt", "--layout", "neosr")
    assert result.exit_code == 0
    assert Path("m.txt").read_text() == "a.png (28,40,3)\nb c.png (12,16,3)\n"
    assert is_one_error_line(result.stderr) and "b c.png: has a space" in result.stderr


def test_parts_make_the_whole(dpid, folder):
    """Neither shards, workers, processes nor a second try change a byte."""
    for k in range(7):
        make(f"in/{k}.png", (60, 50 + k))
    run = ("pairs", "in", "-s", "2", "--patches", "24", "-m", "dpid", "--step", "12")
    assert dpid(*run[:2], "whole", *run[2:], "-j", "1").exit_code == 0
    for part in "1/3", "2/3", "3/3":
        assert dpid(*run[:2], "parts", *run[2:], "--shard", part, "-j", "3").exit_code == 0
    assert process(*run[:2], "other", *run[2:], "--processes", "-j", "2").returncode == 0
    for other in "parts", "other":
        assert files(other) == files("whole") != []
        assert all(Path(other, n).read_bytes() == Path("whole", n).read_bytes() for n in files("whole"))


def test_lost_subimages_come_back(dpid, folder):
    make("in/a.png", (60, 50))
    make("in/b.png", (60, 50))
    run = ("pairs", "in", "out", "-s", "2", "--patches", "24", "--report", "r.jsonl", "--resume")
    assert dpid(*run).exit_code == 0
    before = {name: Path("out", name).read_bytes() for name in files("out")}
    Path("out/HR_sub/a_s003.png").unlink()
    result = dpid(*run, "--json")
    assert [json.loads(result.stdout)[key] for key in ("done", "skipped")] == [1, 1]
    assert {name: Path("out", name).read_bytes() for name in files("out")} == before
    assert json.loads(dpid(*run, "--json").stdout)["skipped"] == 2
    # Other patches make other files.
    other = [option if option != "24" else "32" for option in run]
    assert json.loads(dpid(*other, "--json").stdout)["done"] == 2


def test_every_depth_and_mode(dpid, folder):
    rng = np.random.default_rng(1)
    Path("in").mkdir()
    Image.fromarray(rng.integers(0, 65536, (50, 60), np.uint16)).save("in/deep.png")
    Image.fromarray(rng.integers(0, 256, (50, 60, 4), np.uint8), "RGBA").save("in/clear.png")
    Image.fromarray(rng.integers(0, 256, (50, 60, 3), np.uint8)).quantize(16).save("in/palette.png")
    turned = Image.Exif()
    turned[0x112] = 6
    Image.fromarray(rng.integers(0, 256, (50, 60, 3), np.uint8)).save("in/turned.jpg", exif=turned)
    result = dpid("pairs", "in", "out", "-s", "2", "--patches", "24", "--meta-info", "m.txt")
    assert result.exit_code == 0, result.stderr
    shapes = dict(line.split(" ") for line in Path("m.txt").read_text().splitlines())
    assert {name.partition("_s")[0]: shape for name, shape in shapes.items()} == {
        "clear": "(24,24,4)", "deep": "(24,24,1)", "palette": "(24,24,3)", "turned": "(24,24,3)",
    }  # fmt: skip
    deep = pixels("in/deep.png")
    np.testing.assert_array_equal(pixels("out/HR_sub/deep_s001.png"), deep[:24, :24])
    whole = dpid_cli.downscale(deep, scale=2)
    np.testing.assert_array_equal(pixels("out/LR_dpid/X2_sub/deep_s001.png"), whole[:12, :12])
    upright = np.rot90(pixels("in/turned.jpg"), -1)
    np.testing.assert_array_equal(pixels("out/HR_sub/turned_s001.png"), upright[:24, :24])


@pytest.mark.parametrize("orientation", [1, 6])
def test_metadata_of_squares_are_those_of_crops(dpid, folder, orientation):
    """Faces lie where they are in a square; `--crop` cuts before, and squares are cut afterwards."""
    Path("in").mkdir()
    faces = regions("elements", "normalized", (64, 48), (0.3, 0.4, 0.2, 0.2), (0.7, 0.6, 0.3, 0.5))
    save("in/a.jpg", (64, 48), faces, orientation)
    options = ("-s", "2", "-m", "box", "--report", "r.jsonl")
    assert dpid("pairs", "in", "out", *options, "--patches", "32", "--step", "16").exit_code == 0
    line = lines()["in/a.jpg"]
    assert len(line["outputs"]) == 2 * 6
    for output, crop, method in zip(line["outputs"], line["crops"], line["methods"], strict=True):
        scale = "1" if method is None else "2"
        words = ("-s", scale, "-m", "box", "--crop", ",".join(map(str, crop)), "-o", "crop.png", "-f")
        assert dpid("downscale", "in/a.jpg", *words).exit_code == 0
        with Image.open(output) as square, Image.open("crop.png") as expected:
            assert square.info["xmp"] == expected.info["xmp"], output
            assert square.getexif().get(Base.Orientation, 1) == 1


def test_frames_need_a_choice(dpid, folder):
    Path("in").mkdir()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "lime")]
    frames[0].save("in/a.gif", save_all=True, append_images=frames[1:])
    result = dpid("pairs", "in", "out", "-s", "2")
    assert result.exit_code == 1 and is_one_error_line(result.stderr.splitlines()[0] + "\n")
    assert "in/a.gif: has 2 frames or pages: use --frame" in result.stderr and not files(".")[1:]
    assert dpid("pairs", "in", "out", "-s", "2", "--frame", "1").exit_code == 0
    assert (pixels("out/HR/a.png")[..., :3] == [0, 255, 0]).all()


def test_dry_run_writes_nothing(dpid, folder):
    make("in/a.png", (60, 50))
    run = (
        "pairs",
        "in",
        "out",
        "-s",
        "2",
        "--patches",
        "24",
        "--format",
        "jpeg",
        "-n",
        "--meta-info",
        "m.txt",
    )
    result = dpid(*run)
    assert result.exit_code == 0 and files(".") == ["in/a.png"]
    assert result.stdout.count("out/HR_sub/a_s") == len(subimages(np.empty((50, 60)), 24, 12))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-s", "2", "--patches", "25"), "--patches: 25 pixels are no multiple of the scale 2"),
        (("-s", "3", "--patches", "48", "--step", "20"), "--step: 20 pixels are no multiple of the scale 3"),
        (("-s", "2", "--step", "20"), "--step: works only with --patches"),
        (("-s", "2", "--threshold", "2"), "--threshold: works only with --patches"),
        (("-s", "2", "-s", "3", "--multiple-of", "4"), "--multiple-of: 4 is no multiple of 6"),
        (("-s", "2.5"), "--scale"),
        (("-s", "0"), "--scale"),
        ((), "--scale"),
        (("-s", "2", "--meta-info", "there.txt"), "--meta-info: there.txt: exists already"),
        (("-s", "2", "--meta-info", "list"), "--meta-info: list: must be a local file that ends in .txt"),
        (("-s", "2", "--meta-info", "s3://a/b.txt"), "must be a local file"),
        (("-s", "2", "--layout", "other"), "--layout"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(dpid, folder, options, words):
    make("in/a.png", (60, 50))
    Path("there.txt").write_text("mine")
    result = dpid("pairs", "in", "out", *options)
    assert result.exit_code == 2 and words in result.stderr and is_one_error_line(result.stderr)
    assert files(".") == ["in/a.png", "there.txt"] and Path("there.txt").read_text() == "mine"


def test_lists_replace_no_file_of_the_run_and_are_never_of_a_part(dpid, folder):
    make("in/a.png", (40, 40))
    Path("c.txt").write_text("{}")
    run = ("pairs", "in", "out", "-s", "2", "--overwrite", "--meta-info", "c.txt")
    for options in ("--report", "c.txt"), ("--degradations", "c.txt"), ("--retry-failed", "c.txt"):
        result = dpid(*run, *options)
        assert (result.exit_code, result.stderr) == (
            2, f"--meta-info: c.txt: {options[0]} has this, too: use another\n",
        )  # fmt: skip
    result = dpid(*run, "--retry-failed", "r.jsonl")
    assert result.exit_code == 2 and "use --report and --resume instead" in result.stderr
    result = dpid(*run[:-1], "in/a.png/c.txt")
    assert result.exit_code == 2 and "--meta-info: in/a.png/c.txt: cannot be created there" in result.stderr
    assert files(".") == ["c.txt", "in/a.png"] and Path("c.txt").read_text() == "{}"


@pytest.mark.skipif(sys.platform != "linux", reason="names elsewhere are Unicode")
def test_lists_have_names_that_are_no_text(folder):
    make("in/a.png", (40, 40)).rename(os.fsdecode(b"in/caf\xe9.png"))
    done = process("pairs", "in", "out", "-s", "2", "--meta-info", "m.txt")
    assert (done.returncode, Path("m.txt").read_bytes()) == (0, b"caf\xe9.png (40,40,3)\n")


def test_outputs_of_other_options_are_told(dpid, folder):
    make("in/a.png", (64, 64))
    run = ("pairs", "in", "out", "-s", "2", "--report", "r.jsonl", "--resume", "--patches")
    assert dpid(*run, "32").exit_code == 0
    result = dpid(*run, "64")
    told = (
        "in/a.png: outputs of an earlier run stay: remove these 16, such as out/LR_dpid/X2_sub/a_s002.png\n"
    )
    assert result.exit_code == 0 and told in result.stderr
    assert dpid(*run, "64").stderr.count("stay") == 0


def test_opaque_originals_have_the_light_of_outputs(dpid, folder):
    Path("in").mkdir()
    Image.fromarray(np.tile(np.uint8([0, 0, 0, 128]), (64, 64, 1))).save("in/a.png")
    assert dpid("pairs", "in", "out", "-s", "2", "--linear", "--transparency", "drop").exit_code == 0
    large, small = pixels("out/HR/a.png"), pixels("out/LR_dpid/X2/a.png")
    assert np.unique(large).tolist() == np.unique(small).tolist() and large.max() == large.min()


def test_names_that_collide(dpid, folder):
    make("in/a/b.png", (20, 20))
    make("in/a_b.png", (20, 20))
    result = dpid("pairs", "in", "out", "-r", "-s", "2")
    assert result.exit_code == 2 and is_one_error_line(result.stderr) and not Path("out").exists()


def test_outputs_that_exist_stay(dpid, folder):
    make("in/a.png", (20, 20))
    make("out/HR/a.png", (20, 20))
    before = Path("out/HR/a.png").read_bytes()
    result = dpid("pairs", "in", "out", "-s", "2")
    assert result.exit_code == 1 and "--skip-existing" not in result.stderr
    assert Path("out/HR/a.png").read_bytes() == before


def test_killed_runs_resume(dpid, folder):
    """Wherever the kill fell, the resumed run makes what a whole one makes."""
    for k in range(12):
        make(f"in/{k}.png", (96, 80))
    run = (
        "pairs",
        "in",
        "out",
        "-s",
        "2",
        "--patches",
        "32",
        "--step",
        "16",
        "--meta-info",
        "m.txt",
        "-j",
        "1",
    )
    running = subprocess.Popen([DPID, *run, "--report", "r.jsonl"], stderr=subprocess.DEVNULL)
    while running.poll() is None and len(files("out") if Path("out").exists() else ()) < 40:
        time.sleep(0.01)
    running.kill()
    if running.wait() != 0:  # the list is of complete runs
        assert not Path("m.txt").exists()
    assert dpid(*run, "--report", "r.jsonl", "--resume").exit_code == 0
    expected = ["whole" if word == "out" else "n.txt" if word == "m.txt" else word for word in run]
    assert dpid(*expected).exit_code == 0
    assert files("out") == files("whole")
    assert all(Path("out", name).read_bytes() == Path("whole", name).read_bytes() for name in files("out"))
    assert Path("m.txt").read_bytes() == Path("n.txt").read_bytes()
