"""The command: what it computes, names, prints and guards. Its errors are in test_cli_errors.py."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli.cli import COMMANDS
from dpid_cli.downscaling.registry import PARAMETERS
from support.command import DPID, is_one_error_line, listing, pixels, process

ALL = {
    "lambda": 0.5,
    "alpha": 0.1,
    "epsilon": 0.01,
    "variant": "asym",
    "guidance": "box",
    "normalize": "mean",
    "noise": 0.02,
}
CHANCE = {"form": "random", "seed": 2**64 - 1}


@pytest.mark.parametrize(
    ("method", "parameters"),
    [(name, {}) for name in dpid_cli.METHODS]
    + [
        ("dpid", ALL),
        ("dpp", ALL | {"guidance": "gaussian"}),
        ("box", {"window": 5}),
        ("mixed", {"beta": 0.25, "window": 4}),
        ("lp", {"power": 3.5}),
        ("subsample", {"position": "centre"}),
        ("stochastic", CHANCE | {"window": 7}),
        ("s3pool", CHANCE | {"cell": 8}),
        ("s3pool", {"form": "expected"}),
        ("s3dpp", CHANCE | {"cell": 40, "lambda": 2}),
    ],
)
def test_command_equals_library(dpid, photo, noise, method, parameters):
    scale = "4" if method.startswith("s3") else "2.7"
    options = [word for name, value in parameters.items() for word in (f"--{name}", str(value))]
    result = dpid("downscale", "photo.png", "-s", scale, "-m", method, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    named = {"lambda_" if name == "lambda" else name: value for name, value in parameters.items()}
    expected = dpid_cli.downscale(noise, scale=float(scale), method=method, **named)
    np.testing.assert_array_equal(pixels(result.stdout.strip()), expected)


def test_records_hold_the_parameters(dpid, photo):
    result = dpid("downscale", "photo.png", "-s", "4", "-m", "stochastic", "--seed", "7", "--json")
    assert json.loads(result.stdout)["parameters"] == {"form": "random", "seed": 7, "window": None}


def test_threads_do_not_change_the_result(dpid, photo):
    for count in "1", "3":
        assert dpid("downscale", "photo.png", "-s", "1.3", "-j", count, "-o", f"{count}.png").exit_code == 0
    np.testing.assert_array_equal(pixels("1.png"), pixels("3.png"))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("-s 3", (20, 13)),
        ("--scale 1.7", (35, 24)),
        ("-s 1", (60, 40)),
        ("-s 1000", (1, 1)),
        ("--percent 50", (30, 20)),
        ("--percent 12.5", (8, 5)),
        ("--width 7", (7, 5)),
        ("--height 7", (11, 7)),
        ("--longest 9", (9, 6)),
        ("--shortest 9", (14, 9)),
        ("--size 20x20", (20, 13)),
        ("--size 30x10 --fit inside", (15, 10)),
        ("--size 20X20 --fit cover", (30, 20)),
        ("--size 30x10 --fit cover", (30, 20)),
        ("--size 20x20 --fit exact", (20, 20)),
        ("--size 60x1 --fit exact", (60, 1)),
    ],
)
def test_sizes(dpid, photo, options, size):
    result = dpid("downscale", "photo.png", *options.split(), "-m", "box")
    with Image.open(result.stdout.strip()) as image:
        assert image.size == size


@pytest.mark.parametrize(
    ("source", "options", "name"),
    [
        ("photo.png", "-s 4", "photo_dpid_x4.png"),
        ("photo.png", "-s 2.50 -m box", "photo_box_x2.5.png"),
        ("photo.png", "--width 20 -m max", "photo_max_20x13.png"),
        ("photo.png", "--percent 50 -m min", "photo_min_30x20.png"),
        ("UP.PNG", "-s 4", "UP_dpid_x4.PNG"),
        ("a.b.jpeg", "-s 4", "a.b_dpid_x4.jpeg"),
        ("gray.pgm", "-s 4", "gray_dpid_x4.pgm"),
        ("none", "-s 4", "none_dpid_x4.png"),
        ("photo.png", "-s 4 --format webp", "photo_dpid_x4.webp"),
        ("photo.png", "-s 4 -o given.bmp", "given.bmp"),
        ("photo.png", "-s 4 -o here", "here/photo_dpid_x4.png"),
        ("photo.png", "-s 4 -o new/deep/", "new/deep/photo_dpid_x4.png"),
        ("here/in.png", "-s 4", "here/in_dpid_x4.png"),
        ("sp ace\tand\nnewline.png", "-s 4", "sp ace\tand\nnewline_dpid_x4.png"),
        ("-dash.png", "-s 4", "-dash_dpid_x4.png"),
        ("%s{stem}$x.png", "-s 4", "%s{stem}$x_dpid_x4.png"),
    ],
)
def test_names(dpid, folder, noise, source, options, name):
    (folder / "here").mkdir()
    kind = {".jpeg": "JPEG", ".pgm": "PPM"}.get(Path(source).suffix, "PNG")
    Image.fromarray(noise[..., 0]).save(folder / source, kind)
    before = listing(folder)
    result = dpid("downscale", *options.split(), "--", source)
    assert (result.exit_code, result.stdout, result.stderr) == (0, name + "\n", "")
    new = [path for path, content in listing(folder).items() if path not in before and content is not None]
    assert new == [name]


def test_path_that_is_not_utf8(folder, photo):
    photo.rename(os.fsdecode(b"\xff\xfe.png"))
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}  # as in most locales
    done = process("downscale", b"\xff\xfe.png", "-s", "4", "-m", "box", "-v", cwd=folder, env=strict)
    assert (done.returncode, done.stdout) == (0, b"\xff\xfe_box_x4.png\n")
    assert b"\xff\xfe_box_x4.png" in os.listdir(os.fsencode(folder))
    assert done.stderr.startswith(rb"\udcff\udcfe.png: 60x40 to 15x10 by box in ")


def test_longest_possible_name(dpid, photo):
    name = "\u4e2d" * 83 + ".png"  # 253 bytes of at most 255
    assert dpid("downscale", "photo.png", "-s", "4", "-o", name).exit_code == 0
    assert pixels(name).shape == (10, 15, 3)


def test_extension_and_format_decide_what_is_written(dpid, photo):
    dpid("downscale", "photo.png", "-s", "4", "-o", "a.webp")
    dpid("downscale", "photo.png", "-s", "4", "-o", "b.webp", "--format", "tiff")
    photo.rename("wrong.jpg")
    assert dpid("downscale", "wrong.jpg", "-s", "4").stdout == "wrong_dpid_x4.png\n"
    for name, kind in (("a.webp", "WEBP"), ("b.webp", "TIFF"), ("wrong_dpid_x4.png", "PNG")):
        with Image.open(name) as image:
            assert image.format == kind


def test_several_inputs_and_one_bad_among_them(dpid, photo, noise):
    for name in "a.png", "c.png":
        Image.fromarray(noise).save(name)
    Path("b.png").write_bytes(b"no image")
    result = dpid("downscale", "a.png", "b.png", "missing.png", "c.png", "-s", "4", "-o", "out/")
    assert result.exit_code == 1
    assert result.stdout == "out/a_dpid_x4.png\nout/c_dpid_x4.png\n"
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == ["b.png", "missing.png"]
    assert sorted(os.listdir("out")) == ["a_dpid_x4.png", "c_dpid_x4.png"]


def test_json(dpid, photo):
    result = dpid("downscale", "photo.png", "photo.png", "-s", "4", "--lambda", "2", "--json", "--overwrite")
    found, second = map(json.loads, result.stdout.splitlines())
    assert (second["status"], second["output"], second["error"] + "\n") == ("failed", None, result.stderr)
    assert second.keys() == found.keys()  # the second has the same name and is refused
    assert result.exit_code == 1
    assert found.pop("seconds") > 0
    assert found == {
        "input": "photo.png",
        "output": "photo_dpid_x4.png",
        "input_size": [60, 40],
        "output_size": [15, 10],
        "frames": 1,
        "method": "dpid",
        "status": "done",
        "reason": None,
        "error": None,
        "quality": None,
        "crop": None,
        "parameters": {
            "lambda": 2.0,
            "alpha": 0.0,
            "epsilon": 0.0,
            "variant": "sym",
            "guidance": "gaussian",
            "normalize": "none",
            "noise": 0.0,
        },
    }


@pytest.mark.parametrize(
    ("options", "out", "err"),
    [
        ("", "photo_box_x4.png\n", ""),
        ("-q", "", ""),
        ("-q --json", "", ""),
        ("-v", "photo_box_x4.png\n", "photo.png: 60x40 to 15x10 by box in "),
        ("-v -q", "", ""),
    ],
)
def test_what_is_said(dpid, photo, options, out, err):
    result = dpid("downscale", "photo.png", "-s", "4", "-m", "box", *options.split())
    assert (result.exit_code, result.stdout) == (0, out)
    assert result.stderr.startswith(err) and result.stderr.count("\n") == (err != "")


def test_quiet_leaves_out_warnings_but_not_errors(dpid, folder):
    Image.new("RGB", (8, 8)).save("a.png", icc_profile=b"a profile")
    loud = dpid("downscale", "a.png", "-s", "2", "-o", "a.bmp")
    assert (loud.exit_code, loud.stderr) == (0, "a.bmp: BMP cannot store colour profiles: dropped\n")
    assert dpid("downscale", "a.png", "-s", "2", "-o", "b.bmp", "-q").stderr == ""
    assert is_one_error_line(dpid("downscale", "a.png", "-s", "2", "-o", "b.bmp", "-q").stderr)


def test_overwrite_only_on_request(dpid, photo):
    Path("out.png").write_bytes(b"old")
    assert dpid("downscale", "photo.png", "-s", "4", "-o", "out.png").exit_code == 1
    assert Path("out.png").read_bytes() == b"old"
    assert dpid("downscale", "photo.png", "-s", "4", "-o", "out.png", "--overwrite").exit_code == 0
    assert pixels("out.png").shape == (10, 15, 3)


@pytest.mark.parametrize("way", ["same", "absolute", "roundabout", "symlink", "hard link", "input is a link"])
def test_input_is_never_overwritten(dpid, photo, way):
    source, target = "photo.png", "other.png"
    match way:
        case "same":
            target = "photo.png"
        case "absolute":
            target = str(photo)
        case "roundabout":
            target = f"../{photo.parent.name}/photo.png"
        case "symlink":
            Path(target).symlink_to(source)
        case "hard link":
            Path(target).hardlink_to(source)
        case _:
            Path("link.png").symlink_to(source)
            source, target = "link.png", "photo.png"
    before = listing(photo.parent)
    result = dpid("downscale", source, "-s", "4", "-o", target, "--overwrite")
    assert (result.exit_code, result.stdout) == (1, "")
    assert is_one_error_line(result.stderr) and "never overwritten" in result.stderr
    assert listing(photo.parent) == before


def test_no_input_is_overwritten_by_the_result_of_another(dpid, photo, noise):
    Image.fromarray(noise).save("photo_dpid_x4.png")
    before = listing(photo.parent)
    result = dpid("downscale", "photo.png", "photo_dpid_x4.png", "-s", "4", "--overwrite")
    assert result.exit_code == 1 and "never overwritten" in result.stderr
    assert result.stdout == "photo_dpid_x4_dpid_x4.png\n"
    assert {name: listing(photo.parent)[name] for name in before} == before


def test_results_of_one_run_do_not_overwrite_each_other(dpid, folder):
    for name, level in (("x/a.png", 10), ("y/a.png", 200)):
        Path(name).parent.mkdir()
        Image.new("L", (8, 8), level).save(name)
    result = dpid("downscale", "x/a.png", "y/a.png", "-s", "4", "-o", "out/", "--overwrite")
    assert (result.exit_code, result.stdout) == (1, "out/a_dpid_x4.png\n")
    assert is_one_error_line(result.stderr) and "another output of this run" in result.stderr
    assert (pixels("out/a_dpid_x4.png") == 10).all()


def test_link_as_output_is_left_alone(dpid, photo):
    Path("data.png").write_bytes(b"somebody's")
    Path("out.png").symlink_to("data.png")
    result = dpid("downscale", "photo.png", "-s", "4", "-o", "out.png", "--overwrite")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    assert Path("out.png").is_symlink() and Path("data.png").read_bytes() == b"somebody's"


def test_pipe(photo, noise):
    done = process("downscale", "-", "-s", "4", "-m", "box", "--format", "tiff", input=photo.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.format == "TIFF"
        np.testing.assert_array_equal(image, dpid_cli.downscale(noise, scale=4, method="box"))


@pytest.mark.parametrize(
    ("source", "output"), [("-", "out.png"), ("photo.png", "-"), ("-", "new/"), ("-", "-")]
)
def test_standard_streams_in_every_combination(dpid, photo, source, output):
    args = ("downscale", source, "-s", "4", "-o", output)
    result = dpid(*args, stdin=photo.read_bytes() if source == "-" else None)
    path = {"new/": "new/stdin_dpid_x4.png"}.get(output, output)
    assert result.exit_code == 0 and result.stderr == ""
    if output == "-":
        assert sorted(os.listdir()) == ["photo.png"]
        Path(path := "out.png").write_bytes(result.stdout_bytes)
    else:
        assert result.stdout == path + "\n"
    np.testing.assert_array_equal(pixels(path), dpid_cli.downscale(pixels("photo.png"), scale=4))


def test_methods_lists_everything(dpid):
    methods, parameters = (part.splitlines() for part in dpid("methods").stdout.split("\nParameters:\n"))
    assert [line.split()[0] for line in methods[1:] if line[2] != " "] == list(dpid_cli.METHODS)
    labels = [line.split()[0] for line in parameters if line[2] != " "]
    assert labels == [f"--{parameter.label}" for parameter in PARAMETERS.values()]
    found = [json.loads(line) for line in dpid("methods", "--json").stdout.splitlines()]
    assert [entry["name"] for entry in found] == list(dpid_cli.METHODS)
    assert found[0]["parameters"]["lambda"] == 1


def test_info_and_version(dpid):
    found = json.loads(dpid("info", "--json").stdout)
    for package in "numpy", "numba", "pillow", "click", "dpid-cli":
        assert found[package] == version(package)
        assert f" {version(package)}\n" in dpid("info").stdout
    assert {"threads", "threading layer", "cuda", "kernel cache"} <= set(found)
    assert dpid_cli.__version__ in dpid("--version").stdout


@pytest.mark.parametrize(
    "words",
    ["--help", "help", "downscael", *(f"{name} --help" for name in COMMANDS), "help batch", "methods", "-V"],
)
def test_light_commands_import_nothing_heavy(words):
    code = (
        "import sys, dpid_cli\n"
        "from dpid_cli.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words.split()], capture_output=True, check=False, text=True
    )
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "click" in loaded and not loaded & {"numba", "skimage", "scipy", "numpy", "PIL"}


def test_import_is_light_but_complete():
    code = "import sys, dpid_cli; print(*sys.modules); dpid_cli.downscale; print(*dir(dpid_cli))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    modules, names = (set(line.split()) for line in done.stdout.splitlines())
    assert not {name.split(".")[0] for name in modules} & {"numba", "skimage", "scipy"}
    assert names == set(dpid_cli.__all__)
    assert DPID.is_file()
