"""Errors of one line that say what to do; damage, limits, interruptions; and never half an output."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from support.clips import PATTERN, clip, described, ffmpeg, planes, times, video_of
from support.command import DPID, default_signals, is_one_error_line, process

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
LONG = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=40")


@pytest.fixture
def refused(dpid, folder):
    """Run a command that must fail with one line and write nothing; returns that line."""

    def run(*arguments: str, code: int = 1) -> str:
        before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        result = dpid("video", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert is_one_error_line(result.stderr), result.stderr
        assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
        return result.stderr

    return run


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("none.mp4", "out.mp4", "-s", "2"), 1, "none.mp4: cannot be read: no such file"),
        (("text.mp4", "out.mp4", "-s", "2"), 1, "text.mp4: not a video"),
        ((".", "out.mp4", "-s", "2"), 1, ".: is a folder"),
        (("in.mp4", "out.mp4"), 2, "no size is given"),
        (("in.mp4", "out.xyz", "-s", "2"), 2, "out.xyz: .xyz: not a video that can be written"),
        (("in.mp4", "in.mp4", "-s", "2", "-f"), 1, "in.mp4: this is an input"),
        (("in.mp4", "text.mp4", "-s", "2"), 1, "text.mp4: exists already"),
        (("in.mp4", "no/out.mp4", "-s", "2"), 1, "no/out.mp4: cannot be written: there is no folder no"),
        (("in.mp4", "-", "-s", "2"), 2, "videos need files"),
        (("in.mp4", "out.webm", "-s", "2", "--codec", "h264"), 2, "--codec: .webm takes av1, not h264"),
        (
            ("in.mp4", "out.mkv", "-s", "2", "--codec", "ffv1", "--crf", "3"),
            2,
            "--crf: ffv1 has no such setting",
        ),
        (("in.mp4", "out.mp4", "-s", "2", "--crf", "80"), 2, "--crf must be from 0 to 51"),
        (("in.mp4", "out.mp4", "-s", "2", "--pixel-format", "rgb48"), 2, "--pixel-format must be "),
        (("in.mp4", "out.mp4", "-s", "0.5"), 2, "would enlarge"),
        (("in.mp4", "out.mp4", "--width", "161"), 2, "would enlarge"),
        (("in.mp4", "out.mp4", "--size", "41x30", "--fit", "exact"), 2, "multiples of 2: use 40x30"),
        (
            ("in.mp4", "out.mp4", "-s", "2", "--start", "5", "--end", "4"),
            2,
            "--end must be later than --start",
        ),
        (("in.mp4", "out.mp4", "-s", "2", "--start", "5"), 1, "has no frames between --start and --end"),
        (("in.mp4", "out.mp4", "-s", "2", "--start", "soon"), 2, "--start must be a time"),
        (("in.mp4", "out.mp4", "-s", "2", "--rate", "25"), 2, "--rate: is for numbered images"),
        (("in.mp4", "%d.png", "-s", "2", "--crf", "20"), 2, "--crf: is for videos"),
        (("%d.png", "out.mp4", "-s", "2"), 1, "%d.png: no image has such a name"),
        (("in.mp4", "%d/%d.png", "-s", "2"), 2, "has more than one number"),
        (("in.mp4", "out.mp4", "-s", "2", "--max-pixels", "1000"), 1, "more than 1000 pixels, the limit"),
        (("in.mp4", "out.mp4", "-s", "2", "--max-frames", "5"), 1, "more than 5 frames, the limit"),
        (("sound.mp4", "out.mp4", "-s", "2"), 1, "sound.mp4: has no video"),
        (("in.mp4", "out.mp4", "-s", "2", "--guidance", "in.png"), 2, "guidance: "),
    ],
)
def test_errors(refused, arguments, code, message):
    clip("in.mp4", *X264)
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", "-c:a", "aac", "sound.mp4")
    ffmpeg("-i", "in.mp4", "-vf", "scale=80:60", "-frames:v", "1", "in.png")
    Path("text.mp4").write_text("no video\n")
    assert message in refused(*arguments, code=code)


def test_an_address_in_a_playlist_is_not_opened(refused):
    Path("list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    assert "list.m3u8: " in refused("list.m3u8", "out.mp4", "-s", "2")


def test_without_pyav_it_says_what_to_install(folder):
    clip("in.mp4", *X264)
    code = "import sys; sys.modules['av'] = None; from dpid_cli.cli import main; main()"
    words = ["video", "in.mp4", "out.mp4", "-s", "2"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'pip install "dpid-cli[video]"' in done.stderr and is_one_error_line(done.stderr)


def test_interlaced_videos_are_refused_unless_it_is_said_what_to_do(refused, dpid):
    clip("in.mp4", "-vf", "interlace", *X264, "-flags", "+ilme+ildct")
    assert "--interlaced deinterlace" in refused("in.mp4", "out.mp4", "-s", "2")
    for what in "deinterlace", "keep":
        assert dpid("video", "in.mp4", f"{what}.mp4", "-s", "2", "--interlaced", what).exit_code == 0
        assert times(f"{what}.mp4") == pytest.approx(times("in.mp4"))


def test_frames_of_another_size_end_it(refused):
    clip("a.h264", *X264)
    clip("b.h264", *X264, "-vf", "scale=200:100")
    Path("in.h264").write_bytes(Path("a.h264").read_bytes() + Path("b.h264").read_bytes())
    assert "its frames change from 160x120 to 200x100" in refused("in.h264", "out.mp4", "-s", "2")


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_truncated_videos_fail_or_keep_what_there_is(refused, dpid, ending):
    more = ("-movflags", "faststart") if ending == "mp4" else ()
    clip(
        f"whole.{ending}",
        *X264,
        *more,
        source=("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2"),
    )
    content = Path(f"whole.{ending}").read_bytes()
    Path(f"in.{ending}").write_bytes(content[: len(content) * 6 // 10])
    assert "use --truncated accept" in refused(f"in.{ending}", "out.mkv", "-s", "2")
    result = dpid("video", f"in.{ending}", "out.mkv", "-s", "2", "--truncated", "accept", "--codec", "ffv1")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"in.{ending}: damaged: ") and result.stderr.count("\n") == 1
    assert 20 <= len(times("out.mkv")) < 40
    assert dpid("video", f"whole.{ending}", "all.mkv", "-s", "2", "--codec", "ffv1").exit_code == 0
    good = planes("all.mkv", "yuv420p")
    for before, after in zip(good[:15], planes("out.mkv", "yuv420p"), strict=False):
        np.testing.assert_array_equal(before[0], after[0])


def test_damaged_videos_fail_or_keep_what_can_be_decoded(refused, dpid):
    clip("whole.mkv", *X264)
    content = bytearray(Path("whole.mkv").read_bytes())
    for place in np.random.default_rng(0).integers(len(content) // 3, len(content) - 2000, 30):
        content[place] ^= 255
    Path("in.mkv").write_bytes(content)
    assert "use --truncated accept" in refused("in.mkv", "out.mkv", "-s", "2")
    result = dpid("video", "in.mkv", "out.mkv", "-s", "2", "--truncated", "accept")
    assert result.exit_code == 0 and "damaged" in result.stderr
    assert video_of("out.mkv")["width"] == 80


def test_numbered_images_without_gaps_and_of_one_kind(refused, dpid):
    ffmpeg(*PATTERN, "-frames:v", "4", "%d.png")
    Path("3.png").rename("x.png")
    assert "3.png: is missing between others" in refused("%d.png", "out.mp4", "-s", "2")
    ffmpeg("-i", "x.png", "-vf", "scale=80:60", "3.png")
    assert "3.png: differs from the first image" in refused("%d.png", "out.mp4", "-s", "2")


def test_older_images_are_not_mixed_with_new_ones_in_silence(folder, dpid):
    ffmpeg(*PATTERN, "-frames:v", "4", "%d.png")
    assert dpid("video", "%d.png", "small/%d.png", "-s", "2").exit_code == 0
    again = ("video", "%d.png", "small/%d.png", "-s", "2", "--end", "0.08")
    assert "small/1.png: exists already" in dpid(*again).stderr
    result = dpid(*again, "-f")
    assert (result.exit_code, result.stderr) == (0, "small/%d.png: 2 older images stay: remove them\n")


SLOW_TO_CLOSE = """
import sys, time
from dpid_cli.video.writing import VideoOutput
def close(self):
    print("closing", file=sys.stderr, flush=True)
    time.sleep(120)
VideoOutput.close = close
from dpid_cli.cli import main
main(sys.argv[1:])
"""


def running(*arguments: str, command: tuple[str, ...] = (DPID,)) -> subprocess.Popen[str]:
    return subprocess.Popen([*command, "video", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, preexec_fn=default_signals)  # fmt: skip


def has_begun(folder: Path, process: subprocess.Popen[str]) -> bool:
    """Wait until the process has written some of its output, which has no name yet."""
    while process.poll() is None:
        with suppress(OSError):
            for link in Path(f"/proc/{process.pid}/fd").iterdir():
                name = str(link.readlink())
                if name.startswith(str(folder)) and "(deleted)" in name and link.stat().st_size > 20_000:
                    return True
        time.sleep(0.05)
    return False


@pytest.fixture
def long_clip(folder) -> str:
    clip(
        "in.mkv",
        *X264,
        "-preset",
        "ultrafast",
        "-c:a",
        "aac",
        source=(*LONG, "-f", "lavfi", "-i", "sine=d=40"),
    )
    return "in.mkv"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for files without names")
def test_ctrl_c_leaves_a_video_that_plays_as_far_as_it_got(folder, long_clip):
    run = running(long_clip, "out.mp4", "-s", "2")
    assert has_begun(folder, run)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=60)
    assert (run.returncode, stdout) == (130, "out.mp4\n")
    count = len(times("out.mp4"))
    assert 0 < count < 1000
    assert f"out.mp4: interrupted: has the first {count} frames" in stderr
    assert len(planes("out.mp4", "yuv420p")) == count
    assert [one["codec_type"] for one in described("out.mp4")["streams"]] == ["video", "audio"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for files without names")
def test_a_second_ctrl_c_ends_at_once_without_an_output(folder, long_clip):
    run = running(long_clip, "out.mp4", "-s", "2", command=(sys.executable, "-c", SLOW_TO_CLOSE))
    assert has_begun(folder, run)
    run.send_signal(signal.SIGINT)
    assert run.stderr.readline() == "closing\n"
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=20)
    assert (run.returncode, stdout, stderr) == (130, "", "")
    assert sorted(path.name for path in folder.iterdir()) == [long_clip]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for files without names")
def test_a_killed_run_leaves_no_file(folder, long_clip):
    run = running(long_clip, "out.mp4", "-s", "2")
    assert has_begun(folder, run)
    run.kill()
    run.communicate(timeout=60)
    assert sorted(path.name for path in folder.iterdir()) == [long_clip]


def test_the_command_as_people_run_it(folder):
    clip("in.mp4", *X264)
    done = process("video", "in.mp4", "out.mp4", "-s", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out.mp4\n", b"")
