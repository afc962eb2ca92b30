"""Long videos, killed runs and damaged files, some minutes: run by -m soak."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.clips import TONE, clip, planes, times
from support.command import DPID, default_signals, process

pytestmark = pytest.mark.soak
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def pattern(seconds: float) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size=640x360:rate=25:duration={seconds}")


def peak_memory(*arguments: str) -> int:
    """The most memory that a run used, in MiB."""
    run = subprocess.Popen([DPID, "video", *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode == 0
    return used.ru_maxrss // 1024


def test_5000_frames_need_no_more_memory_than_500(folder, capsys):
    peaks = {}
    for count in 500, 5000:
        clip(f"{count}.mkv", *X264, "-c:a", "aac", source=(*pattern(count / 25), *TONE))
        peaks[count] = peak_memory(f"{count}.mkv", f"small{count}.mkv", "-s", "2", "-q")
        assert len(times(f"small{count}.mkv")) == count
    with capsys.disabled():
        print(f"\nMiB at most, by the number of frames: {peaks}")
    assert peaks[5000] < peaks[500] + 40


def test_killed_runs_leave_nothing_and_interrupted_ones_a_video(folder):
    clip("in.mkv", *X264, source=pattern(8))
    draw = random.Random(0)
    for number in [signal.SIGKILL] * 15 + [signal.SIGINT, signal.SIGTERM] * 8:
        words = [DPID, "video", "in.mkv", "out.mkv", "-s", "2", "-q"]
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        run = subprocess.Popen(words, preexec_fn=default_signals, **nowhere)
        time.sleep(draw.uniform(0.2, 3))
        run.send_signal(number)
        run.wait(timeout=120)
        output = Path("out.mkv")
        names = {path.name for path in folder.iterdir()}
        assert names <= {"in.mkv", "out.mkv"}, names
        if output.exists():
            assert run.returncode in (0, 130) or number == signal.SIGKILL
            assert len(planes(output, "yuv420p")) == len(times(output)) > 0
            output.unlink()


def test_damaged_files_end_with_a_line_or_an_output(folder):
    draw = random.Random(1)
    containers = {
        "mp4": X264,
        "mkv": X264,
        "ts": X264,
        "mov": ("-c:v", "prores_ks"),
        "avi": ("-c:v", "mjpeg"),
    }
    for ending, encoding in containers.items():
        whole = clip(
            f"whole.{ending}", *encoding, source=("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.4")
        )
        content = whole.read_bytes()
        for number in range(24):
            damaged = bytearray(content)
            for _ in range(draw.choice((1, 4, 20))):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            if number % 4 == 0:
                del damaged[draw.randrange(len(damaged)) :]
            Path(f"in.{ending}").write_bytes(damaged)
            accept = ("--truncated", "accept") if number % 2 else ()
            done = process("video", f"in.{ending}", "out.mkv", "-s", "2", "-f", *accept)
            assert done.returncode in (0, 1), (done.returncode, done.stderr)
            assert b"internal error" not in done.stderr and b"Traceback" not in done.stderr, done.stderr
            if done.returncode:
                assert done.stderr.count(b"\n") <= 2 and not Path("out.mkv").exists(), done.stderr
            else:
                assert times("out.mkv")
                Path("out.mkv").unlink()
