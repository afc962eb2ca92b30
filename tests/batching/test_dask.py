"""Batches in parts, and on a Dask cluster: a scheduler and two workers, processes on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli.batching.selection import Input, Shard
from support.command import DPID, is_one_error_line, listing, process
from support.folders import lines
from support.servers import free_port, need, server

WORDS = ("in", "out", "-r", "-s", "2", "-s", "3", "-m", "box")


@pytest.fixture
def many(folder: Path) -> Path:
    """Sixty pictures and one that is none, in two folders."""
    noise = np.random.default_rng(3).integers(0, 256, (60, 128, 128, 3), np.uint8)
    (folder / "in" / "sub").mkdir(parents=True)
    for k, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / "in" / ("sub" if k % 3 else ".") / f"{k}.png")
    (folder / "in" / "bad.png").write_bytes(b"no picture")
    return folder


def statuses(path: Path | str) -> Counter[str]:
    return Counter(line["status"] for line in lines(path).values())


# Parts


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_input_is_in_one_part(count):
    found = [Input(f"elsewhere/{k}.png", f"{k}.png") for k in range(700)]
    taken = [[shard.takes(one) for one in found] for shard in (Shard(n + 1, count) for n in range(count))]
    assert np.sum(taken, axis=0).tolist() == [1] * 700
    assert np.sum(taken, axis=1).min() > 0.7 * 700 / count
    moved = [Input(f"/mnt/{one.name}", one.name) for one in found]
    assert [Shard(1, count).takes(one) for one in moved] == taken[0]


def test_parts_make_the_whole(dpid, many):
    assert dpid("batch", *WORDS).exit_code == 1
    told = []
    for number in 1, 2, 3:
        words = ("batch", "in", "parts", *WORDS[2:], "--shard", f"{number}/3", "--report", f"{number}.jsonl")
        result = dpid(*words, "--json")
        told.append(json.loads(result.stdout))
        assert result.exit_code == (1 if told[-1]["failed"] else 0)
    assert [sum(one[key] for one in told) for key in ("inputs", "done", "failed")] == [61, 60, 1]
    assert listing(Path("parts")) == listing(Path("out"))
    Path("all.jsonl").write_bytes(b"".join(Path(f"{k}.jsonl").read_bytes() for k in (1, 2, 3)))
    assert statuses("all.jsonl") == {"done": 60, "failed": 1}
    again = dpid("batch", "in", "parts", *WORDS[2:], "--report", "all.jsonl", "--resume", "--json")
    assert json.loads(again.stdout)["skipped"] == 60


def test_collisions_of_other_parts_are_found(dpid, many):
    Image.new("RGB", (8, 8)).save("in/0.jpg")
    for number in 1, 2:
        result = dpid("batch", *WORDS, "--format", "png", "--shard", f"{number}/2")
        assert result.exit_code == 2 and "would both be written here" in result.stderr


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5", ""])
def test_what_is_no_part(dpid, many, part):
    result = dpid("batch", *WORDS, "--shard", part)
    assert result.exit_code == 2 and is_one_error_line(result.stderr) and not Path("out").exists()


# Clusters


def test_without_dask(folder):
    code = "import sys; sys.modules['distributed'] = None; from dpid_cli.cli import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", code, "batch", ".", "out", "-s", "2", "--dask", "local"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and is_one_error_line(done.stderr)
    assert 'pip install "dpid-cli[distributed]"' in done.stderr


def test_options_that_contradict_a_cluster(dpid, many):
    need("distributed")
    assert dpid("batch", *WORDS, "--chunk", "4").exit_code == 2
    result = dpid("batch", *WORDS, "--dask", "tcp://127.0.0.1:1", "-j", "2")
    assert result.exit_code == 2 and "omit --workers" in result.stderr


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory) -> Iterator[str]:
    """A scheduler that waits for workers."""
    need("distributed")
    port = free_port()
    words = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    run = [sys.executable, "-m", "distributed.cli.dask_scheduler", *words]
    with server(run, port, cwd=tmp_path_factory.mktemp("scheduler")):
        yield f"tcp://127.0.0.1:{port}"


WORKER = """
import os, sys
from distributed.cli.dask_worker import main
options = "--no-nanny --nthreads 1 --no-dashboard --host 127.0.0.1 --memory-limit 0"
main([sys.argv[1], *options.split()])
"""
SLOW = """
import os, time
from dpid_cli.batching import dask
convert = dask.convert_items
def slowly(spec, items):
    results = []
    for item in items:
        time.sleep(0.05)
        if os.path.basename(item.path) == os.environ.get("POISON"):
            os.kill(os.getpid(), 9)
        results += convert(spec, [item])
        done.append(item)
        if str(len(done)) == os.environ.get("LAST"):
            os.kill(os.getpid(), 9)
    return results
done = []
dask.convert_items = slowly
"""


def worker(address: str, folder: Path, code: str = "", **variables: str) -> subprocess.Popen[bytes]:
    """A worker in a folder of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code + WORKER, address],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | variables,
    )


@pytest.fixture
def workers(scheduler, tmp_path_factory):
    """Start workers; all are gone at the end."""
    with ExitStack() as stack:

        def start(count: int, code: str = "", **variables: str) -> list[subprocess.Popen[bytes]]:
            runs = [worker(scheduler, tmp_path_factory.mktemp("w"), code, **variables) for _ in range(count)]
            for run in runs:
                stack.callback(run.wait)
                stack.callback(run.kill)
            return runs

        yield start


def test_a_worker_killed_in_the_middle(many, scheduler, workers):
    """Its work is done by the other: nothing is lost, nothing told twice, all as from one machine."""
    whole = process("batch", "in", "whole", *WORDS[2:], "--report", "whole.jsonl")
    assert whole.returncode == 1
    workers(1, SLOW, LAST="3")  # has written the results of three of the five in its first chunk
    words = [DPID, "batch", *WORDS, "--dask", scheduler, "--chunk", "5", "--report", "r.jsonl", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        workers(1, SLOW)
        out, err = run.communicate(timeout=100)
    (error,) = (line for line in err.splitlines() if b" of 61 images, " not in line)  # lines of progress
    assert run.returncode == 1 and b"bad.png" in error
    told = json.loads(out)
    assert (told["inputs"], told["done"], told["failed"], told["remaining"]) == (61, 60, 1, 0)
    assert listing(Path("out")) == listing(Path("whole"))
    here, there = lines("whole.jsonl"), lines("r.jsonl")
    assert here.keys() == there.keys()
    for name, line in there.items():
        for key in "status", "output_bytes", "input_size", "order", "modified", "methods":
            assert line[key] == here[name][key]
        assert [p.replace("whole", "out") for p in here[name]["outputs"]] == line["outputs"]


def test_pictures_that_kill_workers(many, scheduler, workers):
    """Only they fail, and what was there before is nobody's to replace."""
    Path("out/x2").mkdir(parents=True)
    Path("out/x2/3.png").write_bytes(b"somebody's")
    for k in range(60):  # enough for chunks of three, whoever has joined by then
        shutil.copy(Path("in", "sub" if k % 3 else ".", f"{k}.png"), f"in/copy{k}.png")
    runs = workers(9, SLOW, POISON="9.png")
    words = [DPID, "batch", *WORDS, "--dask", scheduler, "--chunk", "3", "--report", "r.jsonl", "--json"]
    done = subprocess.run(words, capture_output=True, timeout=120)
    told = {Path(name).name: line for name, line in lines("r.jsonl").items() if line["status"] == "failed"}
    assert sorted(told) == ["3.png", "9.png", "bad.png"], done.stderr
    assert "its worker failed" in told["9.png"]["error"] and "exists already" in told["3.png"]["error"]
    assert Path("out/x2/3.png").read_bytes() == b"somebody's"
    assert json.loads(done.stdout)["done"] == 118 and done.returncode == 1
    assert sum(run.poll() is not None for run in runs) == 8  # four times in its chunk, four times alone


def test_messages_have_the_paths_that_were_given(folder):
    """Not those of the folder in which a worker takes them to begin."""
    need("distributed")
    Path("in/sub").mkdir(parents=True)
    for name in "a.png", "b.png", "sub/c.png", "sub/d.png":
        Image.new("RGB", (8, 6)).save(f"in/{name}")
    os.symlink("nowhere", "in/gone.png")
    Path("in/empty.png").touch()
    Path("out/x2/a.png").mkdir(parents=True)
    Path("out/x2/sub").touch()
    Path("out/x2/b.png").touch()
    for given, output in ("in", "out"), ("./in", "./out"), (f"{folder}/in", "out"), ("in", f"{folder}/out"):
        words = ("batch", given, output, *WORDS[2:], "--overwrite", "--report", "r.jsonl")
        told = [process(*words)]
        with socket.socket() as other:
            with suppress(OSError):
                other.bind(("127.0.0.1", 8787))  # as if there were another cluster
                other.listen()
            told.append(process(*words, "--dask", "local", "-j", "1"))
        assert [run.returncode for run in told] == [1, 1]
        first, second = (sorted(os.fsdecode(run.stderr).splitlines()) for run in told)
        assert first == second and len(first) == 5
        assert any(str(folder) in line for line in first) == (str(folder) in given + output)


def test_a_cluster_of_this_machine_and_an_interruption(many):
    need("distributed")
    large = np.random.default_rng(4).integers(0, 256, (800, 1000, 3), np.uint8)  # so that all take seconds
    for path in set(many.rglob("in/**/*.png")) - {many / "in" / "bad.png"}:
        Image.fromarray(large).save(path, compress_level=0)
    words = [
        DPID,
        "batch",
        *WORDS,
        "--dask",
        "local",
        "-j",
        "2",
        "--report",
        "r.jsonl",
        "--json",
        "--chunk",
        "2",
    ]
    for _ in range(5):  # on a busy machine, a run may end before it is interrupted
        run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0)
        with run:
            end = time.monotonic() + 60
            while time.monotonic() < end and not (
                Path("r.jsonl").exists() and Path("r.jsonl").stat().st_size
            ):
                time.sleep(0.002)
            os.killpg(run.pid, signal.SIGINT)  # as a terminal does: its workers, too
            out, err = run.communicate(timeout=60)
        if run.returncode == 130:
            break
        shutil.rmtree("out")
        Path("r.jsonl").unlink()
    assert run.returncode == 130 and b"Traceback" not in err, err
    told = json.loads(out)
    assert told["interrupted"] and told["done"] + told["failed"] + told["remaining"] == 61
    again = process("batch", *WORDS, "--report", "r.jsonl", "--resume", "--json")
    assert json.loads(again.stdout)["done"] + told["done"] == 60
    assert statuses("r.jsonl")["failed"] == 1
    assert sum(path.is_file() for path in Path("out").rglob("*")) == 120
