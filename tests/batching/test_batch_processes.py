"""dpid batch in processes: the same results, whatever becomes of a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import dpid_cli
from dpid_cli.batching import processes, session
from dpid_cli.batching.processes import Processes
from dpid_cli.batching.selection import Rules, Tree
from dpid_cli.batching.spec import BatchSpec, OutputSpec
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from support.folders import lines, make


def test_processes_make_what_threads_make(dpid, folder):
    for k in range(40):
        make(f"in/{k}.png", (30 + k, 20))
    Path("in/bad.png").write_bytes(b"no picture")
    told = {}
    for engine in "threads", "processes":
        words = "batch", "in", engine, "-s", "2", "--report", f"{engine}.jsonl", f"--{engine}", "-j", "2"
        result = dpid(*words)
        assert result.exit_code == 1 and result.stderr.count("bad.png") == 1
        told[engine] = {
            name: {key: line[key] for key in ("status", "error", "output_sizes", "order")}
            for name, line in lines(f"{engine}.jsonl").items()
        }
    assert len(told["threads"]) == 41 and told["threads"] == told["processes"]
    assert contents("threads") == contents("processes") and len(contents("threads")) == 40


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def readers(name: str) -> Iterator[int]:
    """Processes that have this file open, but this one."""
    for handle in Path("/proc").glob("[1-9]*/fd/*"):
        with suppress(OSError):
            if handle.readlink().name == name and handle.parts[2] != str(os.getpid()):
                yield int(handle.parts[2])


def kill_readers(name: str, stop: threading.Event) -> None:
    while not stop.wait(0.002):
        for number in readers(name):
            os.kill(number, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_picture_that_ends_its_process_takes_no_other_with_it(folder):
    pairs = [(str(make(f"in/{k}.png")), f"out/{k}.png") for k in range(40)]
    pairs.insert(20, ("in/deadly-4711.png", "out/deadly.png"))
    Image.new("RGB", (9000, 6000)).save("in/deadly-4711.png")
    stop = threading.Event()
    killer = threading.Thread(target=kill_readers, args=("deadly-4711.png", stop))
    killer.start()
    try:
        with Processes(2) as executor:
            results = list(dpid_cli.batch(pairs, scale=4, executor=executor, workers=2, chunk=3))
    finally:
        stop.set()
        killer.join()
    assert sorted(result.input for result in results) == sorted(source for source, _ in pairs)
    (lost,) = (result for result in results if result.status == "failed")
    assert lost.error == (
        "in/deadly-4711.png: it ended its process, perhaps for want of memory: convert it separately"
    )
    assert len(list(Path("out").iterdir())) == 40


def test_processes_are_for_many(folder, monkeypatch):
    """Where there are few, their start would take longer than the work."""
    used = []

    class Recorded(ThreadPoolExecutor):
        def __init__(self, workers: int) -> None:
            used.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(session, "Processes", Recorded)
    monkeypatch.setattr(session, "PROCESSES_FROM", 3)
    recipe = Recipe(SizeRequest("scale", 2.0))
    for count, device, expected in (2, "cpu", []), (3, "auto", []), (3, "cpu", [2]):
        make(f"in/{count}.png")
        spec = BatchSpec((OutputSpec(replace(recipe, device=device)),), "out", overwrite=True)
        make("in/1.png")
        with session.Session(spec, [Tree("in", Rules(), recursive=False)], workers=2) as run:
            run.prepare()
            assert run.inventory.count == count
            assert {result.status for result in run.results(threading.Event())} == {"done"}
        assert used == expected


@pytest.mark.parametrize("error", [OSError("no memory"), AssertionError("no children")])
def test_where_no_process_can_begin_threads_do_it(dpid, folder, monkeypatch, error):
    def begin() -> None:
        raise error

    monkeypatch.setattr(processes, "WorkerProcess", begin)
    monkeypatch.setattr(session, "PROCESSES_FROM", 1)
    make("in/a.png")
    assert dpid("batch", "in", "out", "-s", "2").exit_code == 0
    result = dpid("batch", "in", "out", "-s", "2", "--overwrite", "--processes")
    assert (result.exit_code, result.stderr) == (
        2,
        f"--processes: they cannot start: {error}: use --threads\n",
    )


def end_at_once(connection: object) -> None:
    os._exit(1)


def test_processes_that_end_as_they_begin(folder, monkeypatch):
    monkeypatch.setattr(processes, "serve", end_at_once)
    pairs = [(str(make(f"in/{k}.png")), f"out/{k}.png") for k in range(5)]
    with Processes(2) as executor:
        results = list(dpid_cli.batch(pairs, scale=4, executor=executor, workers=2))
    assert sorted(result.input for result in results) == sorted(source for source, _ in pairs)
    assert [result.status for result in results].count("done") == 1  # the first, which no process did
    assert all("use --threads" in str(result.error) for result in results if result.status == "failed")


def test_an_idle_process_may_be_lost_too(folder):
    pairs = [(str(make(f"in/{k}.png")), f"out/{k}.png") for k in range(9)]
    with Processes(2) as executor:
        for round_ in range(2):
            if round_:  # all of them have worked
                for child in multiprocessing.active_children():
                    child.kill()
                    child.join()
            results = dpid_cli.batch(pairs, scale=4, executor=executor, workers=2, overwrite=True)
            assert [result.status for result in results] == ["done"] * 9


def test_nobody_else_has_their_processes(dpid, photo):
    result = dpid("batch", ".", "out", "-s", "2", "--dask", "local", "--processes")
    assert result.exit_code == 2 and "--dask has its own workers" in result.stderr
