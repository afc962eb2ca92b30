"""Every error of the command: the exit code, one line that helps, nothing printed, nothing written."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from socket import AF_UNIX, socket
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from support.command import DPID, is_one_error_line, listing, process

USAGE = [
    ("photo.png", "no size is given"),
    ("-s 4", "missing argument"),
    ("photo.png -s 4 --width 9", "only one kind"),
    ("photo.png --longest 4 --size 9x9", "only one kind"),
    ("photo.png -s 4 --fit cover", "--fit"),
    ("photo.png --size 9y9", "640x480"),
    ("photo.png --size 9x9 --fit stretch", "stretch"),
    ("photo.png -s four", "--scale must be a scale like 4, 1/4 or 25% (got four)"),
    ("photo.png -s", "requires an argument"),
    ("photo.png -s 0", "scale"),
    ("photo.png -s -2", "scale"),
    ("photo.png -s nan", "scale"),
    ("photo.png -s inf", "scale"),
    ("photo.png -s 0.5", "enlarge"),
    ("photo.png --percent 0", "percent"),
    ("photo.png --percent 101", "enlarge"),
    ("photo.png --width 0", "width"),
    ("photo.png --width -5", "width"),
    ("photo.png --width 2.5", "width"),
    ("photo.png --width 61", "enlarge"),
    (f"photo.png --width {'9' * 400}", "width"),
    ("photo.png --height 41", "enlarge"),
    ("photo.png --longest 61", "enlarge"),
    ("photo.png --shortest 41", "enlarge"),
    ("photo.png --size 0x9", "size"),
    ("photo.png --size 61x9 --fit exact", "enlarge"),
    ("photo.png --size 90x90", "enlarge"),
    ("photo.png -s 4 -m magic", "magic"),
    ("photo.png -s 4 --lambda -1", "lambda"),
    ("photo.png -s 4 --lambda nan", "lambda"),
    ("photo.png -s 4 --lambda inf", "lambda"),
    ("photo.png -s 4 --alpha -1", "alpha"),
    ("photo.png -s 4 -m dpp --epsilon 0", "epsilon"),
    ("photo.png -s 4 -m box --lambda 1", "no such parameter"),
    ("photo.png -s 4 --variant both", "--variant must be sym or asym (got both)"),
    ("photo.png -s 4 -m lp --power 0.9", "power"),
    ("photo.png -s 4 -m mixed --beta 2", "from 0 to 1"),
    ("photo.png -s 4 -m stochastic --seed -1", "seed"),
    ("photo.png -s 4 -m stochastic --seed 1.5", "seed"),
    ("photo.png -s 4 -m stochastic --form mean", "mean"),
    ("photo.png -s 4 -m subsample --position top", "top"),
    ("photo.png -s 4 -m dpp --window 5", "no such parameter"),
    ("photo.png -s 4 -m gated --gate gate.json", "gate.json"),
    ("photo.png -s 4 -m s3dpp --guidance photo", "takes no filter"),
    ("photo.png -s 4 -m max --window 2.5", "window"),
    ("photo.png -s 4 -j 0", "--threads must be a whole number, 1 or more (got 0)"),
    ("photo.png -s 4 --format xcf", "xcf"),
    ("photo.png -s 4 -o out.xcf", "extension"),
    ("photo.png -s 4 -o out", "extension"),
    ("photo.png photo.png -s 4 -o out.png", "folder"),
    ("photo.png photo.png -s 4 -o -", "folder"),
    ("- - -s 4 -o new/", "once"),
    ("- -s 4 --json", "--json"),
    ("photo.png -s 4 --sizes", "there is no option --sizes: did you mean --size"),
    ("photo.png -s 4 -o ''", "--output: an empty path"),
    ("photo.png '' -s 4", "INPUT: an empty path"),
    ("photo.png -s ''", "scale"),
    ("photo.png -s 4 --guidance ''", "guidance"),
    ("photo.png -s 4 -m gated --gate ''", "filter file"),
    ("photo.png -s 4 --max-pixels ''", "max-pixels"),
    ("photo.png -s 4 --variant 'two\nlines'", "two"),
]


@pytest.mark.parametrize(("words", "told"), USAGE)
def test_usage(dpid, photo, words, told):
    before = listing(photo.parent)
    result = dpid("downscale", *shlex.split(words))
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and told in result.stderr
    assert listing(photo.parent) == before


@pytest.mark.parametrize(
    "words",
    ["'' -o a.json", "photo.png -o ''", "photo.png -o a.json --objective pairs --targets ''"],
)
def test_empty_paths_to_learn(dpid, photo, words):
    before = listing(photo.parent)
    result = dpid("learn", "-s", "4", *shlex.split(words))
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and "an empty path" in result.stderr
    assert listing(photo.parent) == before


FAILURES = [
    ("missing.png", "", "no such file"),
    ("folder", "", "is a folder: give image files, or type: dpid batch folder OUTPUT_DIR ..."),
    ("text.png", "", "not an image"),
    ("empty.png", "", "is empty"),
    ("cut.png", "", "truncated"),
    ("cut.jpg", "", "truncated"),
    ("cut.avif", "", "AVIF"),
    ("no-items.avif", "", "damaged"),
    ("huge.png", "", "512 million pixels"),
    ("cut-200-megapixels.png", "", "truncated"),
    ("photo.png/x", "", "not a directory"),
    ("line\nbreak.png", "", r"line\nbreak.png"),
    ("photo.png", "-o missing/out.png", "there is no folder missing"),
    ("photo.png", "-o text.png/", "not a folder"),
    ("photo.png", "-o text.png/out.png", "not a folder"),
    ("photo.png", "-o text.png", "--overwrite"),
    ("photo.png", "-o fifo --format png --overwrite", "not a regular file"),
    ("photo.png", f"-o {'x' * 300}.png", "too long"),
    ("photo.png", "-m max --window 3", "gaps: use 4"),
    ("photo.png", "-m s3pool --cell 6", "multiple of 4"),
    ("bright.tif", "", "scale them to [0, 1]"),
    ("nan.tif", "", "NaN"),
    ("deep.tif", "", "65535"),
]


@pytest.fixture
def bad_files(photo: Path, noise) -> Path:
    """The current directory with one file of each kind that fails."""
    whole = photo.read_bytes()
    image = Image.fromarray(noise)
    for extension in "jpg", "avif":
        image.save(f"cut.{extension}")
        content = Path(f"cut.{extension}").read_bytes()
        Path(f"flipped.{extension}").write_bytes(content[:-400] + bytes(b ^ 255 for b in content[-400:]))
        os.truncate(f"cut.{extension}", len(content) * 2 // 3)
    Path("no-items.avif").write_bytes(content.replace(b"iloc", b"free"))
    Path("cut.png").write_bytes(whole[: len(whole) * 2 // 3])
    for name, side in (("huge.png", 30_000), ("cut-200-megapixels.png", 14_200)):
        Image.new("1", (side, 1)).save(name)
        header = bytearray(Path(name).read_bytes()[:41])
        header[20:24] = side.to_bytes(4, "big")
        header[29:33] = crc32(bytes(header[12:29])).to_bytes(4, "big")
        Path(name).write_bytes(header)
    Path("text.png").write_text("a letter")
    Path("empty.png").touch()
    Path("folder").mkdir()
    os.mkfifo("fifo")
    Path("link-to-fifo").symlink_to("fifo")
    Path("loop").symlink_to("loop")
    with socket(AF_UNIX) as listener:
        listener.bind("socket")
    real = noise[..., 0].astype("float32")
    Image.fromarray(real * 1e6).save("bright.tif")
    Image.fromarray(real.astype("int32") * 1000).save("deep.tif")
    Image.fromarray(real * np.float32(np.nan)).save("nan.tif")
    return photo.parent


@pytest.mark.parametrize(("source", "options", "told"), FAILURES)
def test_failed_file(dpid, bad_files, source, options, told):
    before = listing(bad_files)
    result = dpid("downscale", source, "-s", "4", *options.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert is_one_error_line(result.stderr) and told in result.stderr
    assert listing(bad_files) == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("photo.png -s 4 -s", 2),
        ("cut.png -s 4", 1),
        ("cut.jpg -s 4 -o new/", 1),
        ("fifo -s 4", 1),  # which has no writer
        ("/dev/zero -s 4 -o out.png", 1),
        ("socket -s 4", 1),
        ("link-to-fifo -s 4", 1),
        ("loop -s 4", 1),
    ],
)
def test_as_a_process(bad_files, words, code):
    before = listing(bad_files)
    done = process("downscale", *words.split(), cwd=bad_files, timeout=30)
    assert (done.returncode, done.stdout) == (code, b"")
    assert is_one_error_line(done.stderr.decode())
    assert listing(bad_files) == before


def test_debug_shows_where_and_ends_with_the_line(photo):
    done = process("downscale", "photo.png", "missing.png", "--width", "61", "--debug", cwd=photo.parent)
    assert done.returncode == 1  # two files failed, as without --debug
    assert done.stderr.count(b"Traceback") >= 2
    assert done.stderr.splitlines()[-1].startswith(b"missing.png: cannot be read: ")


def process_in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of sh, in which $0 is the command."""
    return subprocess.run(["sh", "-c", command, DPID], cwd=folder, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    ("redirect", "code", "told"),
    [
        ("- -s 4 < photo.png > /dev/full", 1, "no space left"),
        ("photo.png -s 4 > /dev/full", 1, "no space left"),
        ("- -s 4 <&-", 1, "standard input"),
        ("- -s 4 < /dev/null", 1, "standard input"),
        ("- -s 4 < /dev/zero", 1, "not an image"),
        ("- -s 4 < photo.png >&-", 2, "standard output"),
    ],
)
def test_broken_streams(photo, redirect, code, told):
    done = process_in_shell(f'"$0" downscale {redirect}', photo.parent)
    assert (done.returncode, done.stdout) == (code, b"")
    assert is_one_error_line(done.stderr.decode()) and told in done.stderr.decode()


@pytest.mark.parametrize("kind", ["webp", "tiff", "avif"])
def test_endless_pipe(photo, noise, kind):
    """Of a format whose decoder wants the end."""
    Image.fromarray(noise).save("photo", kind)
    done = process_in_shell('cat photo /dev/zero | "$0" downscale - -s 4 --max-pixels 1M', photo.parent)
    assert (done.returncode, done.stdout) == (1, b"") and is_one_error_line(done.stderr.decode())
    assert (
        b"standard input: too large to keep in memory (more than 64000000 bytes)" in done.stderr
        and b"--max-pixels" in done.stderr
    )


def test_pipe_is_read_no_further_than_the_picture(photo):
    done = process_in_shell('cat photo.png /dev/zero | "$0" downscale - -s 4 -m box', photo.parent)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == process("downscale", photo, "-s", "4", "-m", "box", "-o", "-").stdout


@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "gif", "ppm"])
def test_standard_input_that_is_a_file_or_pipe(photo, noise, kind):
    Image.fromarray(noise).save("photo", kind)
    args = "- -s 4 -m box --format png --no-record"
    for line in f'"$0" downscale {args} < photo', f'cat photo | "$0" downscale {args}':
        done = process_in_shell(line, photo.parent)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == process_in_shell(f'"$0" downscale {args} < photo', photo.parent).stdout


def test_file_far_longer_than_its_picture(dpid, folder, noise):
    """Not read into memory: a terabyte, nearly all of it missing from the disk."""
    Image.fromarray(noise).save("long.webp")
    os.truncate("long.webp", 10**12)
    result = dpid("downscale", "long.webp", "-s", "4")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert "more than 512000000 bytes" in result.stderr


@pytest.mark.parametrize("options", ["-o -", "-o out.png", "-o out.png --json"])
def test_reader_that_has_left_is_no_error_to_talk_about(photo, options):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream:
        done = process(
            "downscale", "photo.png", "-s", "4", *options.split(), cwd=photo.parent,
            capture_output=False, stdout=stream, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


def test_image_is_not_sent_to_a_terminal(photo):
    master, slave = os.openpty()
    try:
        done = process(
            "downscale", "photo.png", "-s", "4", "-o", "-", cwd=photo.parent,
            capture_output=False, stdout=slave, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1)
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 2 and b"terminal" in done.stderr


@pytest.mark.parametrize("error", [MemoryError(), ImportError("x.so: failed to map segment")])
def test_too_little_memory_is_no_internal_error(dpid, photo, monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("dpid_cli.convert.job.convert", fail)
    before = listing(photo.parent)
    result = dpid("downscale", "photo.png", "-s", "2", "-o", "out.png")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert "not enough memory" in result.stderr and listing(photo.parent) == before


def test_tracebacks_show_names_as_messages_do(folder):
    name = "\x1b[2J\r\u202egnp.png"
    Path(name).write_bytes(b"no image")
    for words in ("downscale", name, "-s", "2"), ("info", name), ("batch", name, "out", "-s", "2"):
        told = process(*words, "--debug").stderr.decode()
        assert "Traceback (most recent call last):\n" in told and r"\x1b[2J\r\u202egnp.png: " in told
        assert all(line.isprintable() for line in told.splitlines())
