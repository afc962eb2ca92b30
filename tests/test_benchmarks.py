"""The report's arithmetic and text; nothing is measured here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import batches, first, markdown, report
from benchmarks.library import thread_counts
from benchmarks.markdown import BEGIN, END, MISSING, Section
from benchmarks.measure import Plan, Samples, alternate, ratio
from benchmarks.targets import UNKNOWN, Target, all_targets, largest_rise, thread_use


def test_median_and_quartiles():
    samples = Samples((5.0, 1.0, 4.0, 2.0, 3.0))
    assert samples.median == 3
    assert samples.quartiles == (2, 4)
    assert Samples((7.0,)).quartiles == (7, 7)


def test_ratio_is_of_medians():
    assert ratio(Samples((1.0, 4.0, 90.0)), Samples((2.0,))) == 2
    assert ratio(None, Samples((2.0,))) is None
    assert ratio(Samples((2.0,)), None) is None


def test_contestants_take_turns():
    order = []
    calls = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    found = alternate({**calls, "gone": None}, 2, once=["c"])
    assert "".join(order) == "abababc"
    assert found == {"a": [3, 5], "b": [4, 6], "c": [7], "gone": []}


def test_a_quick_plan_does_less():
    assert Plan().rounds(15) == 15
    assert Plan(quick=True).rounds(15) == 3
    assert Plan().choose("abc", "a") == ["a", "b", "c"]
    assert Plan(quick=True).choose("abc", "a") == ["a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (0.5, "0.500"),
        (1, "1.00"),
        (52.34, "52.3"),
        (207.6, "208"),
        (5415, "5415"),
    ],
)
def test_numbers(value, text):
    assert markdown.number(value) == text


def test_times_in_tables():
    assert markdown.milliseconds(Samples((0.001, 0.002, 0.003))) == "2.00 (1.50 to 2.50)"
    assert markdown.milliseconds(Samples((2.0,))) == "2000 (one run)"
    assert markdown.milliseconds(None) == MISSING


def test_a_missing_peer_is_said():
    text = markdown.comparison("filter", {"ours": Samples((0.004,)), "peer": None}, "ours")
    assert text == (
        "| filter |             ms | ratio to ours |\n"
        "|--------|---------------:|--------------:|\n"
        "| ours   | 4.00 (one run) |          1.00 |\n"
        "| peer   |  not installed | not installed |"
    )


def test_a_missing_reference_leaves_the_times():
    text = markdown.side_by_side("filter", {"1/4": {"peer": None, "ours": Samples((0.004,))}}, "peer")
    durations, ratios = text.split("Ratio to peer")
    assert "4.00 (one run)" in durations
    assert ratios.count(MISSING) == 2


def test_only_what_is_between_the_markers_changes():
    text = f"# Title\n\n{BEGIN}\nold\n{END}\n\n## Prose\n"
    once = markdown.replace_between(text, "new\n")
    assert once == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\n## Prose\n"
    assert markdown.replace_between(once, "new") == once


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{END}"])
def test_markers_must_be_there(text):
    with pytest.raises(ValueError, match="markers"):
        markdown.replace_between(text, "new")


def test_the_document_has_its_markers():
    markdown.replace_between(report.DOCUMENT.read_text(encoding="utf-8"), "new")


@pytest.mark.parametrize(
    ("reached", "verdict"), [(2.01, "no"), (2.0, "yes"), (1.0, "yes, and the stretch"), (None, UNKNOWN)]
)
def test_smaller_is_better(reached, verdict):
    assert Target("", None, 2.0, 1.0).verdict(reached) == verdict


@pytest.mark.parametrize(("reached", "verdict"), [(14.9, "no"), (15, "yes"), (40, "yes, and the stretch")])
def test_larger_is_better(reached, verdict):
    assert Target("", None, 15, 40, at_least=True).verdict(reached) == verdict


def test_nothing_is_invented():
    assert {target.row({})[-1] for target in all_targets({})} == {UNKNOWN}


def test_targets_are_judged_from_facts():
    facts = {("1/4", "dpid"): 0.03, ("1/4", "OpenCV INTER_AREA"): 0.02, ("24 MP", "peak MB"): 170.0}
    rows = {row[0]: row[1:] for row in (target.row(facts) for target in all_targets(facts))}
    assert rows["dpid at 1/4, to OpenCV INTER_AREA"] == ["≤ 1.00", "≤ 0.800", "1.50", "no"]
    memory = rows["peak memory of the whole command, 24 MP"]
    assert memory == ["≤ 180 MB", "≤ 150 MB", "170 MB", "yes"]
    assert rows["dpid near 1:1"][-1] == UNKNOWN


def test_the_share_of_a_gpus_bandwidth_is_the_least():
    facts = {
        ("GPU share", "dpid 1/2"): 40.0,
        ("GPU share", "dpid 1/4"): 71.0,
        ("GPU share", "dpid 1/16"): 90.0,
    }
    rows = {row[0]: row[1:] for row in (target.row(facts) for target in all_targets(facts))}
    assert rows["CUDA, share of copy bandwidth at 1/4 and above"][2:] == ["71.0 %", "yes"]


def test_no_gpu_is_not_measured(monkeypatch):
    monkeypatch.setattr("dpid_cli.downscaling.devices.gpu_trouble", lambda: "there is none")
    section = report.SECTIONS["gpu"](Plan())
    assert section.facts == {}
    assert section.body == "Not measured: this machine has no usable GPU."


@pytest.mark.parametrize(
    ("threads", "text"),
    [
        (2.0, "The start of the processes costs 500 ms, which 50.0 such images make up for."),
        (0.9, "The start of the processes costs 500 ms, and they are no faster than threads."),
    ],
)
def test_images_that_make_up_for_processes(threads, text):
    seconds = {batches.THREADS: threads, batches.PROCESSES: 1.0, batches.STARTED: 1.5}
    assert batches.worthwhile({name: Samples((value,)) for name, value in seconds.items()}, 100) == text


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells it")
def test_memory_of_a_process_and_its_children():
    program = "import subprocess, sys; held = bytearray(b'x' * 60_000_000)\n"
    parent = f"{program}subprocess.run([sys.executable, '-c', {program + 'print(); input()'!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        both = first.tree_bytes(process.pid)
        process.stdin.close()
    assert 120e6 < both < 250e6
    assert first.tree_bytes(process.pid) == 0


def test_growth():
    seconds = {(1, 1): 1.0, (1, 2): 0.9, (24, 1): 30.0, (24, 2): 15.0, (200, 1): 300.0, (200, 2): 200.0}
    facts = {("growth", f"{size} MP, {n} threads"): value for (size, n), value in seconds.items()}
    assert largest_rise(facts) == pytest.approx(1.0 / 0.625)
    assert thread_use(facts) == pytest.approx(0.75)


@pytest.mark.parametrize(("cores", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_thread_counts(cores, counts):
    assert thread_counts(cores) == counts


def test_what_is_partly_measured_is_printed(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(report, "SECTIONS", {"near": lambda plan: Section("Near", str(plan.quick))})
    report.main(["--only", "near", "--quick"])
    assert "## Near\n\nTrue\n" in capsys.readouterr().out
    target = tmp_path / "new.md"
    report.main(["--only", "near", "--output", str(target)])
    assert target.read_text(encoding="utf-8").startswith(f"{BEGIN}\n\n## Machine")
