"""What ffprobe says of outputs: times, colours, streams, tags, and the bytes of what is copied."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from dpid_cli.cli.schemas import schema
from support.clips import PATTERN, TONE, clip, described, ffmpeg, packets, planes, times, video_of

BOTH = (*PATTERN, *TONE)
HD = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
HDR = (
    "-colorspace",
    "bt2020nc",
    "-color_primaries",
    "bt2020",
    "-color_trc",
    "smpte2084",
    "-color_range",
    "tv",
)
X264, X265 = ("-c:v", "libx264"), ("-c:v", "libx265", "-x265-params", "log-level=none")
VFR = ("-vf", "select='not(eq(mod(n,5),2))'", "-vsync", "vfr")
CLIPS = {
    "h264.mp4": (*X264, *HD, "-c:a", "aac"),
    "hevc.mp4": (*X265, "-c:a", "aac"),
    "hdr.mp4": (*X265, *HDR, "-pix_fmt", "yuv420p10le", "-c:a", "aac"),
    "av1.mkv": ("-c:v", "libaom-av1", "-cpu-used", "8", "-c:a", "libopus"),
    "vfr.mp4": (*VFR, *X264, "-c:a", "aac"),
    "vfr.mkv": (*VFR, *X264, "-c:a", "flac"),
    "ten.mov": (*X264, "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s16le"),
    "center.mp4": (*X264, "-x264-params", "chromaloc=1", "-c:a", "aac"),
    "full.mkv": (*X264, "-pix_fmt", "yuv420p", "-color_range", "pc", "-c:a", "flac"),
    "wide.mp4": ("-vf", "setsar=4/3", *X264, "-c:a", "aac"),
    "odd.mkv": ("-vf", "scale=161:121", "-c:v", "ffv1", "-pix_fmt", "yuv420p", "-c:a", "flac"),
    "prores.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
}
KEPT = (
    "codec_name", "pix_fmt", "color_range", "color_space", "color_transfer", "color_primaries",
    "chroma_location", "time_base", "avg_frame_rate",
)  # fmt: skip


@pytest.mark.parametrize("name", CLIPS)
def test_times_colours_and_audio_stay(folder, dpid, name):
    clip(name, *CLIPS[name], source=BOTH)
    output = f"small.{name.split('.')[-1]}"
    result = dpid("video", name, output, "-s", "2")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{output}\n", "")
    before, after = video_of(name), video_of(output)
    assert {key: after.get(key) for key in KEPT} == {key: before.get(key) for key in KEPT}
    half = [-(-before[side] // 2) for side in ("width", "height")]
    assert [after["width"], after["height"]] == half
    shapes = [stream.get("sample_aspect_ratio", "1:1") for stream in (before, after)]
    assert shapes[0] == shapes[1]
    assert times(output) == pytest.approx(times(name), abs=1e-9)
    assert packets(output, "a") == packets(name, "a")
    assert times(output, "a") == pytest.approx(times(name, "a"), abs=1e-9)


def test_a_video_without_audio_or_times(folder, dpid):
    clip("in.h264", *X264, "-x264-params", "keyint=5")
    assert dpid("video", "in.h264", "out.mp4", "-s", "2").exit_code == 0
    assert times("out.mp4") == pytest.approx([frame / 25 for frame in range(15)], abs=1e-4)
    assert dpid("video", "in.h264", "out.mp4", "-s", "2", "--lambda", "auto", "-f").exit_code == 0
    assert [stream["codec_type"] for stream in described("out.mp4")["streams"]] == ["video"]


@pytest.fixture
def film(folder: Path) -> str:
    """A video with audio, subtitles, an attached file, chapters and tags."""
    Path("words.srt").write_text("1\n00:00:00,100 --> 00:00:00,400\nHallo\n")
    Path("tags.txt").write_text(
        ";FFMETADATA1\ntitle=Film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=300\ntitle=one\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=300\nEND=600\ntitle=two\n"
    )
    ffmpeg(*BOTH, "-i", "words.srt", "-i", "tags.txt", "-map", "0:v", "-map", "1:a", "-map", "2",
           "-map_metadata", "3", "-map_chapters", "3", *X264, "-c:a", "aac", "-c:s", "srt",
           "-metadata:s:a", "language=deu", "-disposition:s", "forced", "-attach", "words.srt",
           "-metadata:s:t", "mimetype=text/plain", "film.mkv")  # fmt: skip
    return "film.mkv"


def chapters(path: str) -> list[tuple[float, float, str]]:
    found = described(path, "-show_chapters")["chapters"]
    return [(float(one["start_time"]), float(one["end_time"]), one["tags"]["title"]) for one in found]


def test_subtitles_chapters_and_tags_stay(film, dpid):
    result = dpid("video", film, "out.mkv", "-s", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    before, after = described(film), described("out.mkv")
    assert after["format"]["tags"]["title"] == "Film"
    kinds = [(one["codec_type"], one.get("codec_name")) for one in before["streams"]]
    assert [(one["codec_type"], one.get("codec_name")) for one in after["streams"]] == kinds
    assert after["streams"][1]["tags"]["language"] == "deu"
    assert after["streams"][2]["disposition"]["forced"] == 1
    assert packets("out.mkv", "s") == packets(film, "s")
    assert chapters("out.mkv") == chapters(film)
    ffmpeg("-dump_attachment:t:0", "dumped.srt", "-i", "out.mkv", "-f", "null", "-")
    assert Path("dumped.srt").read_bytes() == Path("words.srt").read_bytes()


def test_what_the_container_cannot_hold_is_named(film, dpid):
    result = dpid("video", film, "out.mp4", "-s", "2")
    assert result.exit_code == 0
    assert result.stderr == (
        "film.mkv: mp4 cannot hold its subtitles (subrip): left out; an output in .mkv holds most\n"
        "film.mkv: mp4 cannot hold its attached files: left out; an output in .mkv holds most\n"
    )
    kinds = [one["codec_type"] for one in described("out.mp4")["streams"]]
    assert kinds == ["video", "audio", "data"]  # of the chapters
    assert dpid("video", "out.mp4", "again.mp4", "-s", "2").stderr == ""
    assert chapters("again.mp4") == chapters("out.mp4") == chapters(film)


def test_a_part_begins_at_zero_with_its_audio_and_chapters(film, dpid):
    assert dpid("video", film, "out.mkv", "-s", "2", "--start", "0.2", "--end", "0.5").exit_code == 0
    shown = times("out.mkv")
    assert shown[0] < 0.04 and shown[-1] < 0.3 and len(shown) in (7, 8)
    sound = times("out.mkv", "a")
    assert sound[0] < 0.05 and sound[-1] < 0.3
    assert [(round(begin, 1), round(end, 1)) for begin, end, _ in chapters("out.mkv")] == [
        (0, 0.1),
        (0.1, 0.3),
    ]


def test_every_second_frame_keeps_its_time(folder, dpid):
    clip("in.mp4", *X264, "-c:a", "aac", source=BOTH)
    assert dpid("video", "in.mp4", "out.mp4", "-s", "2", "--every", "2").exit_code == 0
    assert times("out.mp4") == pytest.approx(times("in.mp4")[::2])
    assert video_of("out.mp4")["avg_frame_rate"] == "25/2"
    assert packets("out.mp4", "a") == packets("in.mp4", "a")


@pytest.mark.parametrize(
    ("ending", "options", "codec", "form"),
    [
        ("mp4", ("--codec", "h264", "--crf", "30"), "h264", "yuv420p"),
        ("mkv", ("--codec", "hevc", "--pixel-format", "yuv444p10le"), "hevc", "yuv444p10le"),
        ("mkv", ("--codec", "ffv1", "--pixel-format", "bgr0"), "ffv1", "bgr0"),
        ("webm", (), "av1", "yuv420p"),
        ("mov", ("--codec", "prores"), "prores", "yuv422p10le"),
        ("mp4", ("--codec", "h264", "--pixel-format", "rgb24"), "h264", "gbrp"),
    ],
)
def test_codecs_and_formats_of_pixels(folder, dpid, ending, options, codec, form):
    clip("in.mp4", *X264, *HD)
    result = dpid("video", "in.mp4", f"out.{ending}", "-s", "2", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    made = video_of(f"out.{ending}")
    assert (made["codec_name"], made["pix_fmt"]) == (codec, form)
    assert made["color_primaries"] == "bt709"
    assert made["color_space"] == ("gbr" if form in ("bgr0", "gbrp") else "bt709")


def test_a_lower_crf_is_a_better_and_larger_file(folder, dpid):
    clip("in.mp4", *X264)
    for crf in "10", "40":
        assert dpid("video", "in.mp4", f"{crf}.mp4", "-s", "2", "--crf", crf).exit_code == 0
    assert Path("10.mp4").stat().st_size > 2 * Path("40.mp4").stat().st_size


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "ffv1"])
def test_threads_change_no_byte(folder, dpid, codec):
    clip("in.mkv", *X264, "-c:a", "aac", source=BOTH)
    for threads in "1", "3":
        options = ("-s", "2", "--codec", codec, "-j", threads)
        assert dpid("video", "in.mkv", f"{threads}.mkv", *options).exit_code == 0
    assert Path("1.mkv").read_bytes() == Path("3.mkv").read_bytes()


def test_square_pixels(folder, dpid):
    clip("in.mp4", "-vf", "setsar=4/3", *X264)
    assert dpid("video", "in.mp4", "out.mp4", "-s", "1.5", "--square-pixels").exit_code == 0
    made = video_of("out.mp4")
    assert (made["width"], made["height"], made["display_aspect_ratio"]) == (106, 60, "53:30")


def test_json_says_what_was_made(folder, dpid):
    clip("in.mp4", *X264, source=BOTH)
    result = dpid("video", "in.mp4", "out.mp4", "-s", "2", "--json")
    record = json.loads(result.stdout)
    jsonschema.validate(record, schema("video") | {"additionalProperties": False})
    assert [record[key] for key in ("input", "output", "method", "frames")] == [
        "in.mp4",
        "out.mp4",
        "dpid",
        15,
    ]
    assert [record[key] for key in ("input_size", "output_size")] == [[160, 120], [80, 60]]
    assert (record["codec"], record["pixel_format"], record["status"]) == ("h264", "yuv420p", "done")
    assert record["duration"] == pytest.approx(0.6)


def test_a_dry_run_writes_nothing(folder, dpid):
    clip("in.mp4", *X264)
    result = dpid("video", "in.mp4", "out.mp4", "-s", "2", "-n")
    assert (result.exit_code, result.stdout) == (0, "in.mp4: would write out.mp4\n")
    assert [path.name for path in folder.iterdir()] == ["in.mp4"]


def test_verbose_says_how_fast(folder, dpid):
    clip("in.mp4", *X264, "-pix_fmt", "yuv420p")
    result = dpid("video", "in.mp4", "out.mp4", "-s", "2", "-v", "--lambda", "auto")
    assert result.stderr.startswith("in.mp4: 15 frames, 160x120 to 80x60 by dpid, lambda ")
    assert result.stderr.endswith(" fps)\n") and result.stderr.count("\n") == 1


def test_gray_stays_gray(folder, dpid):
    clip("in.mkv", "-c:v", "ffv1", "-pix_fmt", "gray")
    assert dpid("video", "in.mkv", "out.mkv", "-s", "2").exit_code == 0
    assert len(planes("out.mkv", "gray")) == 15
