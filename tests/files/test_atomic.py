"""Writes that are whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from dpid_cli.errors import FileError
from dpid_cli.files.output import atomic
from support.command import DPID, is_one_error_line, listing, process

WORKERS = 2


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (OSError("encoder error -2"), 1, "cannot be encoded"),
        (ValueError("odd"), 1, "cannot be encoded"),
        (RuntimeError("odd"), 1, "cannot be encoded"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "no space left"),
        (MemoryError(), 1, ""),
        (KeyboardInterrupt(), 130, None),
    ],
)
@pytest.mark.parametrize("target", ["old.png", "new.png"])
def test_failed_encoding_leaves_everything_as_it_was(dpid, photo, monkeypatch, error, code, told, target):
    Path("old.png").write_bytes(b"old")
    before = listing(photo.parent)

    def save(image, stream, name):
        stream.write(b"half of it")
        raise error

    Image.preinit()
    monkeypatch.setitem(Image.SAVE, "PNG", save)
    result = dpid("downscale", "photo.png", "-s", "2", "-o", target, "--overwrite")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.strip() == "" if told is None else is_one_error_line(result.stderr)
    assert (told or "") in result.stderr
    assert listing(photo.parent) == before


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_permissions(dpid, photo, mask):
    Path("old.png").touch()
    Path("old.png").chmod(0o604)
    previous = os.umask(mask)
    try:
        for name in "old.png", "new.png":
            assert dpid("downscale", "photo.png", "-s", "4", "-o", name, "--overwrite").exit_code == 0
    finally:
        assert os.umask(previous) == mask  # and the command has not changed it
    assert stat.S_IMODE(Path("new.png").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE(Path("old.png").stat().st_mode) == 0o604


@pytest.fixture(params=["nameless", "named"])
def way(request, folder, monkeypatch) -> str:
    """Both ways of writing: in a file without a name, and where the system knows none."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not nameless_files(folder):
        pytest.skip("the file system has no files without names")
    return request.param


def nameless_files(folder: Path) -> bool:
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR))
    except (AttributeError, OSError):
        return False
    return True


def put(name: str, overwrite: bool) -> None:
    with atomic(Path(name), overwrite) as stream:
        stream.write(b"new")


WRITE = """
import os, signal, sys
from pathlib import Path
from dpid_cli.files.output import atomic

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

name, overwrite, named, last = sys.argv[1:]
if int(named) and hasattr(os, "O_TMPFILE"):
    del os.O_TMPFILE
if last == "link":
    os.link = killed
Path.replace = killed
with atomic(Path(name), bool(int(overwrite))) as stream:
    stream.write(b"new")
"""


def left_by_the_killed(folder: Path, name: str, *, overwrite: bool, named: bool, last: str) -> list[str]:
    """What is there when a writer of `name` was killed right before its last step."""
    command = [sys.executable, "-c", WRITE, name, str(int(overwrite)), str(int(named)), last]
    done = subprocess.run(command, cwd=folder, capture_output=True)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
    return sorted(listing(folder))


@pytest.mark.usefixtures("way")
def test_target_that_appears_meanwhile_is_not_lost(folder):
    with pytest.raises(FileError, match="exists already"), atomic(Path("a"), overwrite=False) as stream:
        stream.write(b"mine")
        Path("a").write_bytes(b"theirs")
    assert listing(folder) == {"a": b"theirs"}


@pytest.mark.usefixtures("way")
def test_link_that_appears_meanwhile_is_not_written_through(folder):
    Path("data").write_bytes(b"theirs")
    with pytest.raises(FileError, match="exists already"), atomic(Path("a"), overwrite=False) as stream:
        Path("a").symlink_to("data")
        stream.write(b"mine")
    with atomic(Path("a"), overwrite=True) as stream:
        stream.write(b"mine")
    assert listing(folder) == {"data": b"theirs", "a": b"mine"} and not Path("a").is_symlink()


def test_nothing_is_seen_before_the_end(folder, way):
    Path("a").write_bytes(b"old")
    with atomic(Path("a"), overwrite=True) as stream:
        stream.write(b"new")
        stream.flush()
        assert Path("a").read_bytes() == b"old"
        assert len(listing(folder)) == (1 if way == "nameless" else 2)
    assert listing(folder) == {"a": b"new"}


@pytest.mark.usefixtures("way")
def test_other_names_of_the_old_file_keep_it(folder):
    Path("a").write_bytes(b"old")
    Path("b").hardlink_to("a")
    put("a", overwrite=True)
    assert listing(folder) == {"a": b"new", "b": b"old"}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("overwrite", [False, True])
def test_target_that_becomes_a_directory_meanwhile(folder, overwrite):
    with pytest.raises(FileError, match=r"^a: ") as caught, atomic(Path("a"), overwrite):
        Path("a").mkdir()
    assert "\n" not in str(caught.value)
    assert listing(folder) == {"a": None}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("overwrite", [False, True])
def test_directory_that_vanishes_meanwhile(folder, overwrite):
    Path("b").mkdir()
    with pytest.raises(FileError, match=r"^b/a: cannot be written: "), atomic(Path("b/a"), overwrite):
        shutil.rmtree("b")
    assert listing(folder) == {}


@pytest.mark.usefixtures("way")
def test_target_that_vanishes_meanwhile_is_written(folder):
    Path("a").write_bytes(b"old")
    with atomic(Path("a"), overwrite=True) as stream:
        Path("a").unlink()
        stream.write(b"new")
    assert listing(folder) == {"a": b"new"}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", ["x" * 255, "中" * 85, "new\nline", os.fsdecode(b"\xff")])
def test_any_name_that_the_system_knows(folder, name):
    for overwrite in False, True:
        put(name, overwrite)
    assert listing(folder) == {name: b"new"}


def test_killed_writers_of_new_files_leave_nothing(folder):
    if not nameless_files(folder):
        pytest.skip("the file system has no files without names")
    assert left_by_the_killed(folder, "a", overwrite=False, named=False, last="link") == []


@pytest.mark.parametrize("named", [False, True])
def test_the_next_writer_removes_what_killed_ones_left(folder, named):
    Path("a").write_bytes(b"old")
    for _ in range(2):  # the second has the first's name
        found = left_by_the_killed(folder, "a", overwrite=True, named=named, last="rename")
        assert len(found) == 2 and Path("a").read_bytes() == b"old"
    put("b", overwrite=True)
    assert sorted(listing(folder)) == [*found, "b"]  # which is another target
    with pytest.raises(FileError, match="exists already"):
        put("a", overwrite=False)
    assert listing(folder) == {"a": b"old", "b": b"new"}


def test_files_of_the_living_and_of_users_stay(folder, monkeypatch):
    (found,) = left_by_the_killed(folder, "a", overwrite=False, named=True, last="link")
    others = [found.replace("-0", "-x"), found.replace(".a.", ".b."), "." + found, ".a.tmp", "a.tmp"]
    for name in others:
        Path(name).write_bytes(b"somebody's")
    Path(found.replace("-0", "-1")).symlink_to("a.tmp")
    Path(found.replace("-0", "-2")).mkdir()
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    with atomic(Path("a"), overwrite=True) as first:
        first.write(b"first")
        with atomic(Path("a"), overwrite=True) as second:  # as another process would
            second.write(b"second")
        assert Path("a").read_bytes() == b"second"
    assert Path("a").read_bytes() == b"first"
    assert set(listing(folder)) == {"a", *others, found.replace("-0", "-1"), found.replace("-0", "-2")}
    assert all(Path(name).read_bytes() == b"somebody's" for name in others)


@pytest.mark.usefixtures("way")
def test_many_writers_of_one_target(folder):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: put("a", overwrite=True), range(200)))
    assert listing(folder) == {"a": b"new"}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("code", [errno.EDQUOT, errno.ENOSPC, errno.EIO])
def test_disk_that_fails_in_the_end(dpid, photo, monkeypatch, code):
    Path("out.png").write_bytes(b"old")
    before = listing(photo.parent)

    def fsync(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    result = dpid("downscale", "photo.png", "-s", "2", "-o", "out.png", "--overwrite")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert os.strerror(code).lower() in result.stderr and listing(photo.parent) == before


@pytest.mark.parametrize("target", ["old.png", "new.png", "new/new.png"])
def test_full_disk(photo, target):
    """The largest length of a file is for the writer as the end of the disk is."""
    Path("old.png").write_bytes(b"old")
    before = listing(photo.parent)
    size = (1000, 1000)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, size)

    args = ("-s", "1", "-m", "box", "--overwrite", "-o", target if "/" not in target else "new/")
    done = process("downscale", "photo.png", *args, cwd=photo.parent, preexec_fn=limit)
    assert (done.returncode, done.stdout) == (1, b"") and is_one_error_line(done.stderr.decode())
    assert b"cannot be written: file too large" in done.stderr
    after = listing(photo.parent)
    assert after.pop("new", None) is None and after == before


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 KiB, which only root can make."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_really_full(small_disk):
    Image.effect_noise((300, 300), 99).save("large.png")
    Path("disk/old.png").write_bytes(b"old")
    before = listing(small_disk)
    for target in "disk/old.png", "disk/new.png":
        done = process("downscale", "large.png", "-s", "1", "-m", "box", "--overwrite", "-o", target)
        assert (done.returncode, done.stdout) == (1, b"") and is_one_error_line(done.stderr.decode())
        assert b"no space left" in done.stderr and listing(small_disk) == before


def test_directory_that_must_not_be_changed(folder):
    """By another user where this one may do everything."""
    code = """
import os, sys
from pathlib import Path
from dpid_cli.files.output import atomic
if os.getuid() == 0:
    os.setuid(65534)
try:
    with atomic(Path(sys.argv[1]), True): pass
except ValueError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as name:
        old = Path(name, "old")
        old.write_bytes(b"old")
        old.chmod(0o666)
        Path(name).chmod(0o555)
        for path in old, Path(name, "new"):
            done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
            expected = f"{path}: cannot be written: permission denied: check the folder\n"
            assert (done.stdout, done.stderr) == (expected, "")
        assert listing(Path(name)) == {"old": b"old"}
        Path(name).chmod(0o755)


@pytest.mark.parametrize("reason", ["a.jpg holds no transparency", "too wide"])
def test_a_refusal_makes_no_directory(dpid, folder, reason):
    image = Image.new("RGBA", (20, 20), (9, 9, 9, 99)) if "transp" in reason else Image.new("L", (16400, 1))
    image.save("a.png")
    kind = "jpeg" if "transp" in reason else "webp"
    before = listing(folder)
    result = dpid("downscale", "a.png", "-s", "1", "-m", "box", "--format", kind, "-o", "new/deep/")
    assert result.exit_code == 1 and is_one_error_line(result.stderr) and listing(folder) == before


# Kills


def killed_run(folder: Path, number: int, wait: float, target: str) -> int:
    """Kill one run after `wait` seconds; its exit code, -9 where it had not ended yet."""
    command = [DPID, "downscale", "photo.png", "-s", "2", "-m", "box", "-o", target]
    command += ["--overwrite"] if target.startswith("old") else []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            run.wait(wait)
        except subprocess.TimeoutExpired:
            run.kill()
        assert run.stderr.read() == b"", f"run {number}"
    return run.returncode


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_killed_at_any_moment(photo, kills):
    """Runs of the whole command, killed anywhere between their start and their end."""
    folder = photo.parent
    before = time.perf_counter()
    for _ in range(3):
        assert killed_run(folder, -1, 60, "old-0.png") == 0
    whole_run = (time.perf_counter() - before) / 3
    whole = (folder / "old-0.png").read_bytes()
    (folder / "old-0.png").unlink()

    def attempts(worker: int) -> list[int]:
        """Runs that replace an old file and runs that make a new one, in turn."""
        random_, span = random.Random(worker), whole_run
        old, new = folder / f"old-{worker}.png", folder / f"new-{worker}.png"
        codes: list[int] = []
        while codes.count(-signal.SIGKILL) < kills // WORKERS:
            target, content = ((old, b"old"), (new, None))[len(codes) % 2]
            if content is not None:
                target.write_bytes(content)
            else:
                target.unlink(missing_ok=True)
            codes.append(killed_run(folder, len(codes), random_.uniform(0, 1.1) * span, target.name))
            span *= 0.9 if codes[-1] == 0 else 1.02  # the machine may have become faster or slower
            found = target.read_bytes() if target.exists() else None
            assert found in ((whole,) if codes[-1] == 0 else (content, whole)), (worker, len(codes))
            assert codes[-1] in (0, -signal.SIGKILL)
            assert len(codes) < 3 * kills
        return codes

    with ThreadPoolExecutor(WORKERS) as pool:
        codes = [code for worker in pool.map(attempts, range(WORKERS)) for code in worker]
    assert codes.count(-signal.SIGKILL) >= kills
    targets = [f"{kind}-{worker}.png" for worker in range(WORKERS) for kind in ("old", "new")]
    for target in targets:
        (folder / target).unlink(missing_ok=True)
        assert killed_run(folder, -1, 60, target) == 0
    assert listing(folder) == {"photo.png": photo.read_bytes()} | dict.fromkeys(targets, whole)
