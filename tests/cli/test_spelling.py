"""What people type first, and the exact line that each of it gives."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dpid_cli.version import __version__
from support.command import is_one_error_line, listing

METHODS = (
    "dpid, dpp, s3dpp, box, max, min, extremum, subsample, mixed, gated, lp, softpool, edscw, adapool, idw, "
    "stochastic, s3pool, spectral, nearest, bilinear, bicubic, hamming or lanczos"
)
SPELLINGS = [
    # An input where a command belongs: the command to type.
    ("photo.png", "dpid: photo.png is not a command: type: dpid downscale photo.png -s 4"),
    ("missing.jpg", "dpid: missing.jpg is not a command: type: dpid downscale missing.jpg -s 4"),
    ("photo.png -s 2 -m box", "dpid: photo.png is not a command: type: dpid downscale photo.png -s 2 -m box"),
    ("photo.png b.png", "dpid: photo.png is not a command: type: dpid downscale photo.png b.png -s 4"),
    ("-s 2 photo.png", "dpid: -s belongs to a command: type: dpid downscale -s 2 photo.png"),
    ("-", "dpid: - is not a command: type: dpid downscale - -s 4"),
    ("'my photo.png'", "dpid: my photo.png is not a command: type: dpid downscale 'my photo.png' -s 4"),
    ("'*.png'", "dpid: *.png is not a command: type: dpid downscale '*.png' -s 4"),
    ("photos", "dpid: photos is not a command: type: dpid batch photos OUTPUT_DIR -s 4"),
    ("photos -s 2", "dpid: photos is not a command: type: dpid batch photos OUTPUT_DIR -s 2"),
    ("photos small", "dpid: photos is not a command: type: dpid batch photos small -s 4"),
    ("photos small -s 2", "dpid: photos is not a command: type: dpid batch photos small -s 2"),
    # Commands, options and methods misspelled.
    ("downscael photo.png", "dpid: there is no command downscael: did you mean downscale?"),
    ("upscale", "dpid: there is no command upscale: did you mean downscale?"),
    ("Batch", "dpid: there is no command Batch: did you mean batch?"),
    ("method", "dpid: there is no command method: did you mean methods?"),
    ("xyzzy", "dpid: there is no command xyzzy: see 'dpid --help'"),
    ("''", "dpid: there is no command : see 'dpid --help'"),
    ("--versoin", "dpid: there is no option --versoin: did you mean --version?"),
    ("-x", "dpid: there is no option -x: see 'dpid --help'"),
    (
        "downscale photo.png --langest 9",
        "dpid downscale: there is no option --langest: did you mean --longest?",
    ),
    ("downscale photo.png -x", "dpid downscale: there is no option -x: see 'dpid downscale --help'"),
    (
        "downscale photo.png -s 4 -m lancos",
        f"dpid downscale: --method must be {METHODS} (got lancos): did you mean lanczos?",
    ),
    (
        "batch photos small -s 4 -m zzz",
        f"dpid batch: --method must be {METHODS} (got zzz): see 'dpid batch --help'",
    ),
    (
        "downscale photo.png --size 9x9 --fit insde",
        "dpid downscale: --fit must be inside, cover or exact (got insde): did you mean inside?",
    ),
    # Values.
    (
        "downscale photo.png -s four",
        "dpid downscale: --scale must be a scale like 4, 1/4 or 25% (got four): see 'dpid downscale --help'",
    ),
    (
        "downscale photo.png -s ''",
        "dpid downscale: --scale must be a scale like 4, 1/4 or 25% (got ''): see 'dpid downscale --help'",
    ),
    (
        "downscale photo.png --width 2.5",
        "dpid downscale: --width must be a whole number (got 2.5): see 'dpid downscale --help'",
    ),
    (
        "downscale photo.png -s 4 --quality 0",
        "dpid downscale: --quality must be a whole number from 1 to 100 (got 0): see 'dpid downscale --help'",
    ),
    (
        "downscale photo.png --size 9y9",
        "dpid downscale: --size must be a size like 640x480, 640 (longer side), 640x (width) or x480 "
        "(height) (got 9y9): see 'dpid downscale --help'",
    ),
    (
        "downscale photo.png --size 40x --fit cover",
        "dpid downscale: --fit: goes with --size WxH, not with --size N: omit it: "
        "see 'dpid downscale --help'",
    ),
    (
        "downscale photo.png --size 5000",
        "photo.png: size: 5000 would enlarge the image, which is 60x40: use at most 60",
    ),
    ("downscale photo.png --size 0", "size must be a finite number above 0 (got 0)"),
    (
        "downscale photo.png -s 4 --max-pixels 9T",
        "dpid downscale: --max-pixels must be a number of pixels like 512000000 or 512M (got 9T): "
        "see 'dpid downscale --help'",
    ),
    (
        "batch photos small -s 4 --min-size 3y4",
        "dpid batch: --min-size must be a size like 256 or 640x480 (got 3y4): see 'dpid batch --help'",
    ),
    (
        "batch photos small -s 4 --shard 9/8",
        "dpid batch: --shard must be a part like 1/8, 2/8 ... 8/8 (got 9/8): see 'dpid batch --help'",
    ),
    (
        "batch photos small -s 4 --multiple-of 0",
        "dpid batch: --multiple-of must be a whole number from 1 to 1000000 (got 0): see 'dpid batch --help'",
    ),
    (
        "downscale photo.png -s",
        "dpid downscale: option '-s' requires an argument: see 'dpid downscale --help'",
    ),
    ("downscale -s 4", "dpid downscale: missing argument 'INPUT...': see 'dpid downscale --help'"),
    (
        "batch photos -s 4",
        "dpid batch: INPUT is missing: give INPUT and OUTPUT_DIR, or --from-file and OUTPUT_DIR: "
        "see 'dpid batch --help'",
    ),
    # Patterns and folders.
    (
        "batch 'x*.png' out -s 4",
        "INPUT: no file matches x*.png: check the folder and the pattern, or -r to include subfolders",
    ),
    ("batch 'x*.png' out -r -s 4", "INPUT: no file matches x*.png: check the folder and the pattern"),
    (
        "batch photos out -s 4",
        "photos: contains no images: give another folder, or -r to include subfolders",
    ),
    ("batch photos out -r -s 4", "photos: contains no images: give another folder"),
]


@pytest.fixture
def desk(photo: Path) -> Path:
    """The current folder, with a photo in it and an empty folder of photos."""
    (photo.parent / "photos").mkdir()
    (photo.parent / "my photo.png").touch()
    return photo.parent


@pytest.mark.parametrize(("words", "line"), SPELLINGS)
def test_first_tries(dpid, desk, words, line):
    before = listing(desk)
    result = dpid(*shlex.split(words))
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", line + "\n")
    assert is_one_error_line(result.stderr)
    assert listing(desk) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("downscale 'x*.png' -s 4", "INPUT: no file matches x*.png: check the folder and the pattern"),
        ("compare 'x*.png' -s 4", "INPUT: no file matches x*.png: check the folder and the pattern"),
        ("downscale x.png -s 4", "x.png: cannot be read: no such file or directory: check the path"),
        (
            "downscale photos -s 4",
            "photos: is a folder: give image files, or type: dpid batch photos OUTPUT_DIR ...",
        ),
    ],
)
def test_inputs_that_are_not_there(dpid, desk, words, line):
    result = dpid(*shlex.split(words))
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", line + "\n")


@pytest.mark.parametrize("word", ["photo.png", "photos"])
def test_the_command_to_type_works(dpid, desk, word):
    (desk / "photos" / "a.png").write_bytes((desk / "photo.png").read_bytes())
    line = dpid(word).stderr.rpartition(": type: dpid ")[2].replace("OUTPUT_DIR", "small")
    assert dpid(*line.split()).exit_code == 0


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(dpid, option):
    assert dpid(option).stdout == f"dpid, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ("-V", 0, f"dpid, version {__version__}\n", ""),
        ("downscale photo.png -s 4 -o small.png", 0, "small.png\n", ""),
        ("downscael", 2, "", "python -m dpid_cli: there is no command downscael: did you mean downscale?\n"),
        (
            "photo.png",
            2,
            "",
            "python -m dpid_cli: photo.png is not a command: "
            "type: python -m dpid_cli downscale photo.png -s 4\n",
        ),
    ],
)
def test_as_a_module(desk, words, code, out, err):
    done = subprocess.run([sys.executable, "-m", "dpid_cli", *words.split()], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
