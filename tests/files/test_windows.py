"""Writing, batches and caches where files behave as on Windows: see `support.windows`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli import downscale

TESTS = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for Windows asks Linux")
WRITE = """
from pathlib import Path
from dpid_cli.files.output import atomic
with atomic(Path("out.png"), {overwrite}) as stream:
    stream.write(b"new")
    {then}
"""


def there(code: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code where files behave as on Windows."""
    start = f"import sys; sys.path.append({str(TESTS)!r}); from support import windows; windows.install()\n"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    return subprocess.run(
        [sys.executable, "-c", start + code, *words],
        env=plain | variables,
        capture_output=True,
        text=True,
        timeout=600,
    )


def command(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # A process of `multiprocessing` begins with the main module, which must be a file.
    Path("main.py").write_text("if __name__ == '__main__':\n    from dpid_cli.cli import main\n    main()\n")
    code = "import runpy; sys.argv[0] = 'main.py'; runpy.run_path('main.py', run_name='__main__')"
    done = there(code, *words, **variables)
    Path("main.py").unlink()
    return done


def image(name: str) -> np.ndarray:
    with Image.open(name) as opened:
        return np.array(opened)


def test_stand_in_refuses_what_windows_refuses(folder):
    code = """
import os
handle = os.open("a", os.O_CREAT | os.O_RDWR)
for attempt in (
    lambda: os.rename("a", "b"),
    lambda: os.unlink("a"),
    lambda: os.write(handle, b"x"),
    lambda: os.stat("n" * 250),
):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__)
os.close(handle)
os.rename("a", "b")
print(*os.listdir())
"""
    assert there(code).stdout.split() == [
        *["PermissionError"] * 2,
        "OSError",
        "FileNotFoundError",
        "b",
    ]


@pytest.mark.parametrize("overwrite", [False, True])
def test_downscale_writes(photo, overwrite):
    if overwrite:
        Path("out.png").write_bytes(b"old")
    done = command("downscale", "photo.png", "-s", "2", "-o", "out.png", *["--overwrite"] * overwrite)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.array_equal(image("out.png"), downscale(image("photo.png"), scale=2))
    assert sorted(os.listdir()) == ["out.png", "photo.png"]


def test_existing_file_stays(folder):
    Path("out.png").write_bytes(b"old")
    done = there(WRITE.format(overwrite=False, then="pass"))
    assert done.stderr.splitlines()[-1].endswith(
        "out.png: exists already: use --overwrite, or choose another output"
    )
    assert os.listdir() == ["out.png"] and Path("out.png").read_bytes() == b"old"


def test_failure_leaves_nothing(folder):
    done = there(WRITE.format(overwrite=False, then="raise ValueError"))
    assert done.stderr.splitlines()[-1] == "ValueError" and os.listdir() == []


def test_file_that_is_held_open_for_a_moment(folder):
    Path("out.png").write_bytes(b"old")
    hold = "import threading\nheld = open('out.png')\nthreading.Timer(0.3, held.close).start()\n"
    done = there(hold + WRITE.format(overwrite=True, then="pass"))
    assert (done.returncode, done.stderr) == (0, "") and Path("out.png").read_bytes() == b"new"


def test_file_that_stays_open_is_told(folder):
    Path("out.png").write_bytes(b"old")
    done = there("held = open('out.png')\n" + WRITE.format(overwrite=True, then="pass"))
    assert "out.png: cannot be written: " in done.stderr.splitlines()[-1]
    assert os.listdir() == ["out.png"] and Path("out.png").read_bytes() == b"old"


@pytest.mark.parametrize(("age", "stays"), [(0, True), (3600, False)])
def test_drafts_of_killed_writers_are_removed_when_they_are_old(folder, age, stays):
    killed = there(WRITE.format(overwrite=True, then="import os; os._exit(9)"))
    assert killed.returncode == 9
    (draft,) = os.listdir()
    then = time.time() - age
    os.utime(draft, (then, then))
    assert there(WRITE.format(overwrite=True, then="pass")).returncode == 0
    assert set(os.listdir()) == {"out.png"} | {draft for _ in range(stays)}


def test_writers_of_one_file(folder):
    code = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from dpid_cli.files.output import atomic
def write(number):
    with atomic(Path("out.png"), True) as stream:
        stream.write(bytes([number]) * 1000)
with ThreadPoolExecutor(4) as pool:
    list(pool.map(write, range(100)))
"""
    done = there(code)
    assert (done.returncode, done.stderr) == (0, "")
    content = Path("out.png").read_bytes()
    assert os.listdir() == ["out.png"] and len(content) == 1000 and len(set(content)) == 1


@pytest.mark.parametrize("workers", ["--processes", "--threads"])
def test_batch_and_resume(folder, noise, workers):
    Path("in/deep").mkdir(parents=True)
    for number in range(6):
        Image.fromarray(np.roll(noise, number, 0)).save(f"in/{'deep/' * (number % 2)}{number}.png")
    words = "batch", "in", "out", "-r", "-s", "2", "--report", "report.jsonl", "-j", "2", workers, "-q"
    for resumed in (), ("--resume",):
        done = command(*words, *resumed)
        assert (done.returncode, done.stderr) == (0, "")
        files = sorted(str(path) for path in Path("out").rglob("*.*"))
        assert files == sorted(f"out/{'deep/' * (number % 2)}{number}.png" for number in range(6))
    for name in files:
        assert np.array_equal(image(name), downscale(image(name.replace("out", "in", 1)), scale=2))
    assert len(Path("report.jsonl").read_bytes().splitlines()) >= 6


def test_long_paths(folder, noise):
    deep = "/".join("abc"[k] * 90 for k in range(3))
    Path("in", deep).mkdir(parents=True)
    Image.fromarray(noise).save(f"in/{deep}/a.png")
    words = "batch", "in", "out", "-r", "-s", "2", "--report", f"{deep}/report.jsonl", "--threads", "-j", "2"
    for counts in ["done 1, skipped 0, failed 0", "done 0, skipped 1, failed 0"]:
        done = command(*words, "--resume")
        assert done.returncode == 0 and counts in done.stdout
        assert sorted(os.listdir(f"out/{deep}")) == ["a.png"]
    assert np.array_equal(image(f"out/{deep}/a.png"), downscale(noise, scale=2))
    done = command("downscale", f"in/{deep}/a.png", "-s", "2")
    assert (done.returncode, done.stdout) == (0, f"in/{deep}/a_dpid_x2.png\n")
    again = command("downscale", f"in/{deep}/a.png", "-s", "2")
    assert again.returncode == 1 and f"in/{deep}/a_dpid_x2.png: exists already" in again.stderr
    assert command("downscale", f"in/{deep}/a.png", "-s", "2", "--overwrite").returncode == 0
    assert sorted(os.listdir(f"in/{deep}")) == ["a.png", "a_dpid_x2.png"]


def test_notation_of_long_paths(folder):
    code = """
import ntpath, sys
from types import SimpleNamespace
from dpid_cli import platform
platform.os = SimpleNamespace(path=ntpath)
for path in sys.argv[1:]:
    print(platform.system_path(path))
"""
    name = "\\" + "n" * 200
    paths = {
        "C:\\photos\\a.png": "C:\\photos\\a.png",
        "photos/a.png": "photos/a.png",
        f"C:/photos/../old/{name}": f"\\\\?\\C:\\old{name}",
        f"\\\\server\\share{name}": f"\\\\?\\UNC\\server\\share{name}",
        f"\\\\?\\C:{name}": f"\\\\?\\C:{name}",
        f"\\\\.\\C:{name}": f"\\\\.\\C:{name}",
    }
    assert there(code, *paths).stdout.splitlines() == list(paths.values())


def test_drives_that_do_not_exist(folder):
    code = """
import os
from pathlib import Path
from dpid_cli.files.output import check_target
from dpid_cli.files.storage import folds_case
os.path.lexists = os.path.isdir = lambda path: False
folds_case("/photos/small")
check_target(Path("/photos/small/out.png"), (), (), False)
"""
    assert there(code).stderr.splitlines()[-1] == (
        "dpid_cli.errors.FileError: /: there is no such drive: choose another output"
    )


def test_processes_that_start_hear_no_interrupt(folder):
    code = """
from support.windows import ignored
from dpid_cli.batching.signals import blocked
with blocked():
    print(ignored)
print(ignored)
"""
    assert there(code).stdout.splitlines() == ["[True]", "[True, False]"]


def test_report_that_another_run_writes(folder, photo):
    code = """
from dpid_cli.errors import ArgumentError
from dpid_cli.files.lines import appending
with appending("report.jsonl", keep=False) as first:
    first.write(b"1\\n")
    try:
        with appending("report.jsonl", keep=True):
            pass
    except ArgumentError as error:
        print(error)
with appending("report.jsonl", keep=True) as second:
    second.write(b"2\\n")
"""
    done = there(code)
    assert done.stdout == "report.jsonl: another process is writing it: give each its own file\n"
    assert Path("report.jsonl").read_bytes() == b"1\n2\n"


@pytest.mark.parametrize("place", ["home/cache", "elsewhere"])
def test_code_is_run_from_the_folder_of_the_user_only(folder, place):
    code = "from dpid_cli.kernels import cache; print(cache.folder())"
    Path("home").mkdir()
    found = there(code, HOME=str(folder / "home"), DPID_CACHE_DIR=str(folder / place)).stdout.strip()
    assert (found == "None") == (place == "elsewhere")
    assert found == "None" or Path(found).parent == folder / place


@pytest.mark.parametrize("name", ["NUL.png", "com1", "Aux .tar.png", "a:b.png", "ends.png ", "dot.png."])
def test_names_with_another_meaning(photo, name):
    done = command("downscale", "photo.png", "-s", "2", "-o", name, "--format", "png")
    assert (done.returncode, done.stderr) == (
        1,
        f"{name}: Windows gives this name another meaning: choose another output\n",
    )
    assert os.listdir() == ["photo.png"]


@pytest.mark.parametrize("name", ["null.png", ".nul.png", "../up.png", "console.png", "a b..png"])
def test_names_that_only_look_so(photo, name):
    Path("sub").mkdir()
    Path("photo.png").rename("sub/photo.png")
    os.chdir("sub")
    assert command("downscale", "photo.png", "-s", "2", "-o", name).returncode == 0
    assert Path(name).is_file()


def test_where_caches_lie(folder):
    code = "from dpid_cli.kernels import cache; print(cache.base_folder())"
    variables = {"HOME": str(folder), "DPID_CACHE_DIR": "", "LOCALAPPDATA": ""}
    assert there(code, **variables).stdout == f"{folder}/AppData/Local/dpid-cli\n"
    assert there(code, **variables | {"LOCALAPPDATA": "/here"}).stdout == "/here/dpid-cli\n"
