"""A rehearsal of kills: batches and their workers, killed, stopped and started again until all is done."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from support.rehearsal import (
    ENGINES,
    PATIENCE,
    WORDS,
    batch,
    check_lines,
    check_report,
    children,
    command_of,
    contents,
    meanwhile,
    photos,
    process,
    surroundings,
)
from support.servers import need

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("DPID_SOAK_KILLS", "60"))  # of each engine; the start of a cluster takes a while
RUNS = 2  # at a time, each with its own folder of outputs and report
IMAGES = 200


@pytest.mark.parametrize(("engine", "kills"), [("--processes", KILLS), ("--dask local", KILLS // 3)])
def test_resumed_batches_that_are_killed_at_any_moment(folder, engine, kills):
    """After each kill, all files are whole, and what the report lists is there and is not made again."""
    if "dask" in engine:
        need("distributed")
    whole = photos(folder, IMAGES)
    names = [f"{what}-{k}" for k in range(RUNS) for what in ("out", "report")]
    before = surroundings(folder, *names)

    start = time.monotonic()
    assert process("batch", "in", "out-0", *engine.split(), *WORDS).returncode == 0
    whole_run = time.monotonic() - start
    for name in whole:
        (folder / "out-0" / name).unlink()

    def attempts(number: int) -> tuple[int, int]:
        chance, out, report = random.Random(number), folder / f"out-{number}", folder / f"report-{number}"
        words = (out.name, "--report", report.name, "--resume", *engine.split())
        killed = finished = 0
        kept: dict[str, int] = {}
        span = whole_run
        while killed < -(-kills // RUNS):
            with batch(folder, *words, start_new_session=True) as run:
                workers = _ended(run, chance.uniform(0, span))
                err = run.stderr.read()
            assert run.returncode in (0, -signal.SIGKILL), err
            if run.returncode == 0:  # a worker that is starting while its command is killed may say so
                check_lines(err)
            found = contents(out)
            assert found.items() <= whole.items()
            done = _done(report)
            assert all(found[name] == whole[name] for name in done)
            numbers = {name: (out / name).stat().st_ino for name in done}
            assert kept.items() <= numbers.items()
            kept = numbers
            assert not _alive(workers), "workers outlive their command"
            if run.returncode:
                killed, span = killed + 1, span * 1.02  # the machine may have become slower, or faster
                continue
            check_report(report, IMAGES)
            assert found == whole
            finished, kept, span = finished + 1, {}, span * 0.8
            report.unlink()
            for name in whole:
                (out / name).unlink()
        done = process("batch", "in", *words[:4], *WORDS, cwd=folder)
        assert (done.returncode, done.stderr) == (0, b"") and contents(out) == whole
        check_report(report, IMAGES)
        return killed, finished

    with ThreadPoolExecutor(RUNS) as pool:
        counts = list(pool.map(attempts, range(RUNS)))
    killed, finished = map(sum, zip(*counts, strict=True))
    print(f"{engine}: {killed} kills, {finished} runs between them came to their end")
    assert killed >= kills and surroundings(folder, *names) == before


def _ended(run, wait: float) -> set[int]:
    """Wait for a run, or kill it after so many seconds; the processes that it had."""
    workers: set[int] = set()
    end = time.monotonic() + wait
    while run.poll() is None and time.monotonic() < end:
        workers |= set(children(run.pid))
        time.sleep(0.05)
    workers |= set(children(run.pid))
    run.kill()
    run.wait()
    return workers


def _alive(workers: set[int]) -> set[int]:
    """Workers that have not ended after a while."""
    end = time.monotonic() + 60
    while (left := {w for w in workers if b"spawn" in command_of(w)}) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def _done(report: Path) -> set[str]:
    """The outputs that whole lines of a report list, without their folder."""
    if not report.exists():
        return set()
    told = report.read_bytes()
    lines = map(json.loads, told.splitlines()[: told.count(b"\n")])
    return {str(Path(*Path(path).parts[1:])) for line in lines for path in line["outputs"]}


@pytest.mark.parametrize("engine", ["--processes", "--dask local"])
def test_workers_that_are_killed_again_and_again(folder, engine):
    """The others do their work, or the input fails with one line and is done by the next run."""
    if "dask" in engine:
        need("distributed")
    whole = photos(folder, IMAGES)
    before = surroundings(folder, "out", "r.jsonl")
    words = ("out", "--report", "r.jsonl", "--resume")
    report, killed, seen = folder / "r.jsonl", [], [0]

    def kill(chance: random.Random) -> None:
        done = report.read_bytes().count(b"\n") if report.exists() else 0
        workers = [number for number in children(run.pid) if b"spawn_main" in command_of(number)]
        if workers and done > seen[0]:  # so that some work gets done between two kills
            seen[0] = done + chance.randint(0, 9)
            killed.append(chance.choice(workers))
            with suppress(ProcessLookupError):
                os.kill(killed[-1], signal.SIGKILL)

    with batch(folder, *words, *engine.split()) as run, meanwhile(kill):
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode in (0, 1), err
    check_lines(err)
    told = check_report(folder / "r.jsonl", IMAGES)
    found = contents(folder / "out")
    assert found.items() <= whole.items()
    assert all(line["error"] or line["status"] == "done" for line in told.values())
    print(f"{engine}: {len(killed)} workers killed, {IMAGES - len(found)} of {IMAGES} inputs failed")
    done = process("batch", "in", *words, *WORDS)
    assert (done.returncode, done.stderr) == (0, b"") and contents(folder / "out") == whole
    check_report(folder / "r.jsonl", IMAGES)
    assert surroundings(folder, "out", "r.jsonl") == before


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_that_are_stopped_and_continued(folder, engine):
    whole = photos(folder, IMAGES)
    before = surroundings(folder, "out", "r.jsonl")

    def stop(chance: random.Random) -> None:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0, 0.05))
            os.killpg(run.pid, signal.SIGCONT)
            time.sleep(chance.uniform(0, 0.1))

    words = ("out", engine, "--report", "r.jsonl")
    with batch(folder, *words, start_new_session=True) as run, meanwhile(stop):
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0 and contents(folder / "out") == whole
    check_lines(err)
    assert {line["status"] for line in check_report(folder / "r.jsonl", IMAGES).values()} == {"done"}
    assert surroundings(folder, "out", "r.jsonl") == before
