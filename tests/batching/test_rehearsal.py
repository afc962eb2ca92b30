"""A rehearsal of failures: whatever happens to disks, limits, folders and inputs, nothing is lost or partial.

Each test compares the surroundings of the output folder before and after, and what the batch has made with
what it makes undisturbed.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from support.command import is_one_error_line
from support.folders import make
from support.rehearsal import (
    COUNT,
    ENGINES,
    PATIENCE,
    WORDS,
    batch,
    check_lines,
    check_report,
    contents,
    meanwhile,
    photos,
    process,
    surroundings,
)

pytestmark = pytest.mark.soak


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A file system of a size that tests change, which only root can make."""
    path = folder / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", path]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


def resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


# Disks


@pytest.mark.parametrize("engine", ENGINES)
def test_a_disk_that_is_full_at_every_write(folder, disk, engine):
    """The disk grows step by step, and the batch resumes each time, until everything has found its place."""
    whole = photos(folder, 16)
    before = surroundings(folder, "disk")
    words = ("disk/out", "--report", "disk/r.jsonl", "--resume", "--json", engine)
    codes: list[int] = []
    room = 2 * sum(map(len, whole.values()))  # the report grows beside the outputs by a line for each failure
    for size in (*range(4096, room, -(-room // 20 // 4096) * 4096), 2**24):
        resize(disk, size)
        done = process("batch", "in", *words, *WORDS)
        codes.append(done.returncode)
        found = contents(disk / "out")
        assert found.items() <= whole.items()  # each is whole, and nothing else is there
        check_lines(done.stderr)
        if done.returncode == 0:
            break
        assert b"no space left on device" in done.stderr
    assert codes[-1] == 0 and set(codes[:-1]) == {1} and found == whole
    check_report(disk / "r.jsonl", 16)
    assert surroundings(folder, "disk") == before


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("compare in/0.png -s 4 -o disk/a.html --csv disk/a.csv --no-timing", {"a.html", "a.csv"}),
        ("compare in/0.png -s 4 -o disk/a.png --no-metrics", {"a.png"}),
        ("compare in/0.png in/3.png -s 4 -o disk/a.html --no-metrics", {"a.html", "a/0.html", "a/3.html"}),
        ("downscale in/0.png -s 1 -m box -o disk/a/", {"a/0_box_x1.png"}),
        (
            "learn in/0.png -s 2 --patch 32 --patches 1 --iterations 1 --objective l2 -o disk/a.json",
            {"a.json"},
        ),
    ],
)
def test_other_commands_on_a_full_disk(folder, disk, words, made):
    for k in 0, 3:
        make(f"in/{k}.png", (96, 64))
    before = surroundings(folder, "disk")
    size = 4096
    while True:
        resize(disk, size)
        done = process(*words.split(), "-q")
        if done.returncode == 0:
            break
        assert done.returncode == 1 and b"no space left on device" in done.stderr, done.stderr
        check_lines(done.stderr)
        assert all(path.stat().st_size for path in disk.rglob("*") if path.is_file())
        assert set(contents(disk)) < made
        for path in disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        size += max(4096, size // 3 // 4096 * 4096)
    assert set(contents(disk)) == made and surroundings(folder, "disk") == before


def test_a_full_disk_below_temporary_files_and_the_cache(folder, disk):
    whole = photos(folder, 4)
    own = {"TMPDIR": str(disk), "DPID_CACHE_DIR": str(disk / "cache"), "XDG_CACHE_HOME": str(disk)}
    done = process("batch", "in", "out", *WORDS, env=os.environ | own)
    assert (done.returncode, done.stderr) == (0, b"") and contents(folder / "out") == whole


# Limits


@pytest.mark.parametrize("size", [1, 100, 1500, 3000, 4200, 4500, 8000])
def test_a_largest_length_of_files(folder, size):
    whole = photos(folder)
    before = surroundings(folder, "out", "r.jsonl")
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
    done = process("batch", "in", "out", *WORDS, "--report", "r.jsonl", preexec_fn=limit)
    assert done.returncode == 1 and b"file too large" in done.stderr
    check_lines(done.stderr)
    assert contents(folder / "out").items() <= whole.items()
    done = process("batch", "in", "out", *WORDS, "--report", "r.jsonl", "--resume")
    assert (done.returncode, done.stderr) == (0, b"") and contents(folder / "out") == whole
    check_report(folder / "r.jsonl", COUNT)
    assert surroundings(folder, "out", "r.jsonl") == before


@pytest.mark.parametrize("engine", ENGINES)
def test_twenty_open_files(folder, engine):
    whole = photos(folder)
    before = surroundings(folder, "out", "r.jsonl")
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (20, 20))
    done = process("batch", "in", "out", *WORDS, "--report", "r.jsonl", engine, preexec_fn=limit)
    assert (done.returncode, done.stderr) == (0, b"") and contents(folder / "out") == whole
    check_report(folder / "r.jsonl", COUNT)
    assert surroundings(folder, "out", "r.jsonl") == before


@pytest.mark.parametrize("open_files", [6, 8, 9, 10, 11, 12])
def test_fewer_open_files(folder, open_files):
    """Commands that cannot do with so few say so, and what they have written is whole."""
    whole = photos(folder)
    before = surroundings(folder, "out")
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (open_files, open_files))
    for engine in ENGINES:
        done = process("batch", "in", "out", *WORDS, "--overwrite", engine, preexec_fn=limit)
        if done.returncode:
            assert b"too many open files" in done.stderr.lower(), done.stderr
        check_lines(done.stderr)
        assert contents(folder / "out").items() <= whole.items()
    assert surroundings(folder, "out") == before


def test_too_little_memory(folder):
    """From too little for Python's libraries to enough for everything."""
    whole = photos(folder)
    make(folder / "large.png", (1200, 900))
    before = surroundings(folder, "out", "large")
    codes = []
    for megabytes in (60, 90, 120, 150, 180, 210, 250, 300, 600):
        limit = partial(resource.setrlimit, resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
        for words in ("batch", "in", "out", *WORDS), ("downscale", "large.png", "-s", "2", "-o", "large/"):
            done = process(*words, "--overwrite", "-q", preexec_fn=limit)
            codes.append(done.returncode)
            if done.returncode < 0 or done.returncode == 130:
                continue  # NumPy's libraries end a process like this if they find too little
            assert done.returncode in (0, 1)
            assert not done.returncode or b"memory" in done.stderr.lower(), done.stderr
            assert b"internal error" not in done.stderr
        assert contents(folder / "out").items() <= whole.items()
        assert len(contents(folder / "large")) in (0, 1)
    assert codes[0] == 1 and codes[-2:] == [0, 0] and contents(folder / "out") == whole
    assert surroundings(folder, "out", "large") == before


# Folders


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("what", ["out", "out/sub"])
def test_links_that_come_and_go_in_place_of_output_folders(folder, what, engine):
    whole = photos(folder, 120)
    (folder / "elsewhere" / "sub").mkdir(parents=True)
    for name in whole:
        (folder / "elsewhere" / name).write_bytes(b"somebody's")
        (folder / "elsewhere" / Path(name).name).write_bytes(b"somebody's")
    (folder / "out" / "sub").mkdir(parents=True)
    aside = folder / "aside"
    before = surroundings(folder, "out", "aside")

    def swap(_: object) -> None:
        with suppress(OSError):
            Path(what).rename(aside)
            Path(what).symlink_to(folder / "elsewhere")
        with suppress(OSError):
            Path(what).unlink()
            aside.rename(what)

    for _ in range(3):
        with meanwhile(swap), batch(folder, "out", engine, "--overwrite") as run:
            _, err = run.communicate(timeout=PATIENCE)
        assert run.returncode in (0, 1)
        check_lines(err)
    assert surroundings(folder, "out", "aside") == before
    wanted = {Path(name).name: content for name, content in whole.items()}
    for place in folder / "out", aside:
        if not place.is_symlink():
            found = {Path(name).name: content for name, content in contents(place).items()}
            assert found.items() <= wanted.items()


@pytest.mark.parametrize("engine", ENGINES)
def test_output_folders_that_are_replaced_again_and_again(folder, engine):
    whole = photos(folder, 120)
    before = surroundings(folder, "out", "old")
    Path("old").mkdir()

    def replace(chance: object) -> None:
        with suppress(OSError):
            Path("out").rename(f"old/{len(os.listdir('old'))}")

    with meanwhile(replace), batch(folder, "out", engine, "--report", "old.jsonl") as run:
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode in (0, 1)
    check_lines(err)
    Path("old.jsonl").unlink()
    assert surroundings(folder, "out", "old") == before
    places = [*Path("old").iterdir(), Path("out")]
    assert all(contents(place).items() <= whole.items() for place in places)
    done = process("batch", "in", "out", *WORDS, "--overwrite")
    assert (done.returncode, done.stderr) == (0, b"") and contents(folder / "out") == whole


@pytest.mark.parametrize("more", [(), ("--overwrite",), ("--skip-existing",)])
def test_outputs_that_are_other_names_of_inputs(folder, more):
    """Hard links, links, and names that differ in case only; inputs keep their content."""
    whole = photos(folder)
    make(folder / "in" / "A.png"), make(folder / "in" / "a.png")
    inputs = contents(folder / "in")
    (folder / "out" / "sub").mkdir(parents=True)
    for name in whole:
        (folder / "out" / name).hardlink_to(folder / "in" / name)
    (folder / "out" / "a.png").symlink_to(folder / "in" / "A.png")
    done = process("batch", "in", "out", *WORDS, *more, "--report", "r.jsonl")
    check_lines(done.stderr)
    assert done.returncode == (0 if more == ("--skip-existing",) else 1) and contents(folder / "in") == inputs
    told = check_report(folder / "r.jsonl", COUNT + 2)
    assert told["in/A.png"]["status"] == "done"
    assert {told[f"in/{name}"]["status"] for name in whole} == {
        "skipped" if "--skip-existing" in more else "failed"
    }
    for name in whole:
        for words in ("-o", f"out/{name}"), ("-o", f"in/../in/{name}"):
            result = process("downscale", f"in/{name}", "-s", "2", *words, *more[:1], "-q")
            assert result.returncode in (1, 2) and is_one_error_line(result.stderr.decode())
        break
    assert contents(folder / "in") == inputs


def test_two_batches_at_once_on_one_folder(folder):
    whole = photos(folder, 120)
    before = surroundings(folder, "out", "a.jsonl", "b.jsonl")
    for more in (), ("--overwrite",), ("--skip-existing",):
        shutil.rmtree("out", ignore_errors=True)
        runs = [batch(folder, "out", "--report", f"{name}.jsonl", *more, "--threads") for name in "ab"]
        told = [run.communicate(timeout=PATIENCE) for run in runs]
        assert contents(folder / "out") == whole
        done = set()
        for run, name, (_, err) in zip(runs, "ab", told, strict=True):
            check_lines(err)
            lines = check_report(folder / f"{name}.jsonl", 120)
            assert run.returncode == any(line["status"] == "failed" for line in lines.values())
            assert all(
                "exists already" in line["error"] for line in lines.values() if line["status"] == "failed"
            )
            done |= {source for source, line in lines.items() if line["status"] == "done"}
        assert len(done) == 120
        for name in "ab":
            (folder / f"{name}.jsonl").unlink()
    assert surroundings(folder, "out") == before


def test_two_batches_at_once_on_one_folder_and_report(folder):
    """Each does everything, or ends at once with one line, or begins after the other and finds all done."""
    whole = photos(folder, 120)
    for _ in range(5):
        shutil.rmtree("out", ignore_errors=True)
        Path("r.jsonl").unlink(missing_ok=True)
        runs = [batch(folder, "out", "--report", "r.jsonl", "--resume", "--threads") for _ in range(2)]
        told = [run.communicate(timeout=PATIENCE)[1] for run in runs]
        for run, err in zip(runs, told, strict=True):
            assert run.returncode == 0 or (run.returncode == 2 and is_one_error_line(err.decode())), err
        assert 0 in [run.returncode for run in runs] and contents(folder / "out") == whole
        check_report(folder / "r.jsonl", 120)


# Inputs


@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_that_vanish_grow_and_shrink_while_they_are_read(folder, engine):
    photos(folder, 60, (200, 150))
    for k in range(60):  # some of other formats, with and without compression
        kind = ("bmp", "tiff", "jpg", "webp", "ppm", "gif")[k % 6]
        with Image.open(next(Path("in").rglob(f"{k}.png"))) as image:
            image.save(f"in/other-{k}.{kind}")
    sources = sorted(path for path in Path("in").rglob("*") if path.is_file())
    whole = {path: path.read_bytes() for path in sources}
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "a.png").write_bytes(b"somebody's")
    before = surroundings(folder, "in", "out", "r.jsonl")

    def disturb(chance) -> None:
        path = chance.choice(sources)
        with suppress(OSError):
            match chance.randrange(7):
                case 0 | 1 | 2 if path.is_symlink():
                    path.unlink()
                case 0:
                    path.unlink()
                case 1:
                    os.truncate(path, chance.randrange(len(whole[path])))
                case 2:
                    os.truncate(path, 10 * len(whole[path]))
                case 3:
                    path.unlink()
                    os.mkfifo(path)
                case 4:
                    path.unlink()
                    path.symlink_to(folder / "elsewhere" / "a.png")
                case _:
                    path.unlink(missing_ok=True)
                    path.write_bytes(whole[path])

    for _ in range(4):
        Path("r.jsonl").unlink(missing_ok=True)
        with meanwhile(disturb), batch(folder, "out", engine, "--overwrite", "--report", "r.jsonl") as run:
            _, err = run.communicate(timeout=PATIENCE)
        assert run.returncode in (0, 1)
        check_lines(err)
        told = [json.loads(line) for line in Path("r.jsonl").read_bytes().splitlines()]
        assert all(line["error"] or line["status"] == "done" for line in told)
    for path in (folder / "out").rglob("*"):
        if path.is_file():
            with Image.open(path) as image:
                image.load()  # whole
    assert surroundings(folder, "in", "out", "r.jsonl") == before
