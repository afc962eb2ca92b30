"""Batches that are interrupted, killed, or lose their reader."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command import DPID, default_signals, listing, process
from support.folders import lines, statuses

WORDS = ("in", "out", "-r", "-s", "2", "-s", "3", "-m", "box", "--report", "r.jsonl")
PIPE_CLOSED = 141  # as shells report SIGPIPE


@pytest.fixture
def many(folder: Path) -> Path:
    """Enough pictures to be interrupted in between."""
    noise = np.random.default_rng(3).integers(0, 256, (60, 128, 128, 3), np.uint8)
    (folder / "in" / "sub").mkdir(parents=True)
    for k, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / "in" / ("sub" if k % 3 else ".") / f"{k}.png")
    return folder


def started(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """The batch of `WORDS` as a process, when it has done something."""
    run = subprocess.Popen(
        [DPID, "batch", *WORDS, "-j", "2", *more],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=default_signals,
    )
    report, end = folder / "r.jsonl", time.monotonic() + 60
    size = report.stat().st_size if report.exists() else 0
    while (not report.exists() or report.stat().st_size <= size) and time.monotonic() < end:
        assert run.poll() is None
        time.sleep(0.002)
    return run


def report_lines(folder: Path) -> int:
    return (folder / "r.jsonl").read_bytes().count(b"\n")


ENGINES = pytest.mark.parametrize("engine", ["--threads", "--processes"])


@ENGINES
def test_killed_at_random_moments(many, engine, tmp_path_factory):
    """The tree becomes that of an undisturbed run; what was recorded is not done again."""
    wait = random.Random(11)
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    whole = process("batch", *WORDS, cwd=many)
    assert whole.returncode == 0
    (many / "out").rename(undisturbed / "out")
    (many / "r.jsonl").unlink()
    killed = 0
    for _ in range(6):
        with started(many, "--resume", engine) as run:
            end = report_lines(many) + wait.randint(0, 9)
            while report_lines(many) < end and run.poll() is None:
                time.sleep(0.001)
            time.sleep(wait.uniform(0, 0.02))
            run.send_signal(signal.SIGKILL)
            assert run.communicate()[1] == b""
        killed += run.returncode == -signal.SIGKILL
        told = (many / "r.jsonl").read_bytes()
        recorded = {json.loads(line)["input"] for line in told.splitlines()[: told.count(b"\n")]}
        inodes = {
            path: path.stat().st_ino
            for name in recorded
            for path in many.glob(f"out/*/{Path(name).relative_to('in')}")
        }
        assert len(inodes) == 2 * len(recorded)
    assert killed >= 3
    last = process("batch", *WORDS, "--resume", "--json", cwd=many)
    assert (last.returncode, last.stderr) == (0, b"")
    assert {path: path.stat().st_ino for path in inodes} == inodes
    found = json.loads(last.stdout)
    assert found["skipped"] == len(recorded) and found["done"] == 60 - len(recorded)
    assert len(lines(many / "r.jsonl")) == 60
    assert listing(many / "out") == listing(undisturbed / "out")  # no temporary file is left


@ENGINES
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(many, number, engine):
    with started(many, "--json", engine) as run:
        while report_lines(many) < (1 if number == signal.SIGINT else 3):  # while processes begin, or work
            time.sleep(0.001)
        os.killpg(run.pid, number)  # as a terminal does it
        out, err = run.communicate(timeout=60)
    unexpected = [line for line in err.splitlines() if not line.endswith(b" left")]  # lines of progress
    assert (run.returncode, unexpected) == (130, [])
    found = json.loads(out)
    assert found["interrupted"] and found["failed"] == 0 and found["remaining"] > 0
    assert found["done"] + found["remaining"] == 60
    told = lines(many / "r.jsonl")
    assert len(told) == found["done"] and set(statuses(many / "r.jsonl").values()) == {"done"}
    assert sum(path.is_file() for path in (many / "out").rglob("*")) == 2 * found["done"]
    done = process("batch", *WORDS, "--resume", "--json", cwd=many)
    assert json.loads(done.stdout)["skipped"] == found["done"]


SLOW = """
import signal, sys, time
from PIL import Image
def slowly(image, stream, *rest, **options):
    stream.write(b"half")
    stream.flush()
    print("in flight", flush=True)
    time.sleep(60)
Image.Image.save = slowly
from dpid_cli.cli import main
main(sys.argv[1:])
"""


def test_interrupted_twice_ends_at_once_without_half_a_file(photos):
    run = subprocess.Popen(
        [sys.executable, "-c", SLOW, "batch", *WORDS, "-j", "1"],
        cwd=photos,
        stdout=subprocess.PIPE,
        preexec_fn=default_signals,
    )
    with run:
        assert run.stdout.readline() == b"in flight\n"
        start = time.monotonic()
        run.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130 and time.monotonic() - start < 20
    assert not any(path.is_file() for path in Path("out").rglob("*"))
    assert Path("r.jsonl").read_bytes() == b""


def test_a_terminal_is_told_of_an_interruption(photos):
    master, slave = os.openpty()
    words = [sys.executable, "-c", SLOW, "batch", *WORDS, "-j", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=slave, preexec_fn=default_signals) as run:
        os.close(slave)
        assert run.stdout.readline() == b"in flight\n"
        shown = b""
        for line in b"press Ctrl-C again to end at once", b"\rended":
            run.send_signal(signal.SIGINT)
            while line not in shown:
                shown += os.read(master, 1000)
        assert run.wait(20) == 130
    os.close(master)
    assert b"\x1b" not in shown  # the cursor was never hidden


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_listing_writes_nothing(photos, number):
    slow = (
        "import sys, time; from dpid_cli.batching.inventory import Inventory\n"
        "def slowly(*_):\n    print('listing', flush=True)\n    time.sleep(30)\n"
        "Inventory.fill = slowly\n"
        "from dpid_cli.cli import main; main(sys.argv[1:])"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", slow, "batch", *WORDS],
        cwd=photos,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=default_signals,
    )
    with run:
        assert run.stdout.readline() == b"listing\n"
        run.send_signal(number)
        assert run.wait(20) == 130
        assert run.stderr.read() == b"dpid batch: interrupted\n"
    assert not Path("out").exists() and not Path("r.jsonl").exists()


def check_all_done(
    folder: Path, run: subprocess.Popen[bytes] | subprocess.CompletedProcess[bytes], code: int = 1
) -> None:
    """Of `many` and one that is no picture."""
    assert run.returncode == code
    told = statuses(folder / "r.jsonl")
    assert len(told) == 61 and [name for name in told if told[name] != "done"] == ["in/bad.png"]
    assert sum(path.is_file() for path in (folder / "out").rglob("*")) == 120


def test_a_full_disk_under_standard_error(many):
    (many / "in" / "bad.png").touch()
    streams = {"capture_output": False, "stdout": subprocess.PIPE}
    with Path("/dev/full").open("wb") as full:
        run = process("batch", *WORDS, "-v", "--json", **streams, stderr=full)
    check_all_done(many, run)
    assert json.loads(run.stdout)["failed"] == 1


def test_a_pipe_that_is_left(many):
    """As by ``2>&1 | head -1``."""
    (many / "in" / "bad.png").touch()
    reader, writer = os.pipe()
    os.close(reader)
    words = [DPID, "batch", *WORDS, "-v"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer) as run:
        os.close(writer)
    check_all_done(many, run, PIPE_CLOSED)


def test_a_terminal_that_is_left(many):
    """Its bar and its lines go nowhere; without the signal, as after ``disown``, work goes on."""
    (many / "in" / "bad.png").touch()
    master, slave = os.openpty()
    words = [DPID, "batch", *WORDS, "-v"]
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as run:
        os.close(slave)
        assert os.read(master, 1)
        os.close(master)
    check_all_done(many, run)


def test_what_whoever_started_it_has_ignored_stays_ignored(many):
    """As nohup does."""
    (many / "in" / "bad.png").touch()
    words = ["sh", "-c", 'trap "" HUP INT; exec "$@"', "sh", DPID, "batch", *WORDS, "-j", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        while not Path("r.jsonl").exists():
            time.sleep(0.002)
        for _ in range(5):
            run.send_signal(signal.SIGHUP)
            run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    check_all_done(many, run)


def test_a_dry_run_ends_with_its_reader(many):
    words = [DPID, "batch", *WORDS, "-n"]
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(words, stdout=writer, stderr=subprocess.PIPE) as run:
        os.close(writer)
        assert run.communicate(timeout=60)[1] == b""
    assert run.returncode == PIPE_CLOSED


def test_two_runs_do_not_write_one_report(dpid, many):
    Path("gone.jsonl").symlink_to("r.jsonl")
    with started(many) as run:
        run.send_signal(signal.SIGSTOP)  # or it might be done too early
        before = Path("r.jsonl").stat().st_ino
        for words in (WORDS, (*WORDS[:-1], "gone.jsonl")):
            for more in "--resume", "--overwrite":
                result = dpid("batch", words[0], "other", *words[2:], more)
                assert (result.exit_code, result.stdout) == (2, "")
                assert "another process is writing it" in result.stderr
        run.send_signal(signal.SIGCONT)
        run.communicate(timeout=60)
    assert run.returncode == 0 and len(lines()) == 60 and not Path("other").exists()
    assert Path("r.jsonl").stat().st_ino == before
    assert dpid("batch", *WORDS[:-1], "gone.jsonl", "--resume").exit_code == 0
    assert Path("gone.jsonl").is_symlink() and statuses() == dict.fromkeys(statuses(), "skipped")
