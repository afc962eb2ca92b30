"""Compiled kernels: kept, announced, compiled ahead; and what a start imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dpid_cli import METHODS
from dpid_cli.downscaling.warmup import Case, cases
from dpid_cli.kernels import cache as code_cache
from support.command import DPID, process

RUN = "import sys; from dpid_cli.cli import main; main(sys.argv[1:])"
SHRINK = ("downscale", "photo.png", "-s", "4", "-m", "box", "-o", "out.png", "--overwrite")
QUICK = {"NUMBA_OPT": "0"}  # compiled quickly, never mixed with the kernels that others use
NOTICE = "dpid: compiling kernels for this kind of image (about 10 s, once per kind)..."


def python(code: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env={name: value for name, value in os.environ.items() if name != "DPID_CACHE_DIR"} | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


def watched(*words: str, **variables: str) -> tuple[int, str]:
    """Exit code of the command, and what it says on a terminal."""
    master, slave = os.openpty()
    with os.fdopen(master, "rb", buffering=0) as terminal:
        done = subprocess.run(
            [DPID, *words], stdout=subprocess.DEVNULL, stderr=slave, timeout=300, env=os.environ | variables
        )
        os.write(slave, b"\0")
        os.close(slave)
        told = b""
        while not told.endswith(b"\0"):
            told += terminal.read(4096)
    return done.returncode, told[:-1].decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a cache that one quiet first run on a colour image has filled."""
    folder = tmp_path_factory.mktemp("cache")
    variables = QUICK | {"DPID_CACHE_DIR": str(folder / "kernels")}
    Image.effect_noise((60, 40), 50).convert("RGB").save(folder / "photo.png")
    words = ("downscale", str(folder / "photo.png"), "-s", "4", "-m", "box", "-q")
    assert watched(*words, **variables) == (0, "")
    assert list((folder / "kernels").rglob("*.o"))
    return variables


def test_notice_only_of_a_first_run(cache, photo):
    assert watched(*SHRINK, **cache) == (0, "")
    code, told = watched(*SHRINK, "-m", "max", **cache)
    assert (code, told) == (0, NOTICE + "\n")
    done = process(*SHRINK, "-m", "min", env=os.environ | cache)
    assert (done.returncode, done.stderr) == (0, b"")


def test_warmup_leaves_nothing_to_compile(cache, photo):
    code = f"""
from dpid_cli.downscaling import warmup
every = warmup.cases
warmup.cases = lambda device: [case for case in every(device) if str(case) == "uint8 RGB, dpp"]
{RUN}"""
    first, second = (python(code, "warmup", **cache) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    folder, compiled, found = (line.split()[-1] for line in first.stdout.splitlines())
    assert Path(folder).is_relative_to(cache["DPID_CACHE_DIR"])
    assert (int(compiled), int(found)) == (1, 3)
    assert [line.split()[-1] for line in second.stdout.splitlines()] == [folder, "0", "4"]
    for scale in "1.7", "2", "40":
        assert watched(*SHRINK, "-m", "dpp", "-s", scale, **cache) == (0, "")


def test_warmup_covers_what_files_hold():
    told = list(map(str, cases()))
    assert len(set(told)) == len(told)
    own = {name for name, method in METHODS.items() if method.settings or method.extras}
    assert {case.method for case in cases()} == own >= {"dpid", "dpp", "box", "max", "lp", "stochastic"}
    assert "uint16 RGBA, dpp, lambda 0.5, alpha 0.1" in told and "uint8 RGB, dpid" in told
    assert "uint8 RGB, dpid, linear" in told and "uint8 gray, dpid, lambda 0.5, linear" in told
    assert "uint16 gray, lp, power 3.0" in told and "float32 gray, dpp, variant asym" in told


def test_warmup_shows_progress_on_a_terminal(dpid, monkeypatch):
    monkeypatch.setattr(Case, "compile", lambda self: None)
    assert dpid("warmup").stderr == ""
    monkeypatch.setattr("dpid_cli.cli.about.on_terminal", lambda: True)
    lines = dpid("warmup").stderr.splitlines()
    count = len(cases())
    assert (len(lines), lines[0]) == (count, f"1/{count} uint8 gray, dpid")


@pytest.fixture
def read_only(photo: Path) -> dict[str, str]:
    """Variables with which no folder for compiled kernels can be made, not even by root: below a file."""
    nowhere = str(photo / "nowhere")
    return QUICK | {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "PYTHONDONTWRITEBYTECODE": "1"}


def test_no_folder_for_kernels(read_only):
    done = python(RUN, *SHRINK, **read_only)
    assert (done.returncode, done.stdout, done.stderr) == (0, "out.png\n", "")
    assert "none: no writable folder" in python(RUN, "info", **read_only).stdout
    told = python(RUN, "warmup", **read_only)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("kernel cache: no folder is writable: ")


@pytest.mark.parametrize("moment", ["read", "write"])
def test_folder_for_kernels_that_is_lost(photo, tmp_path, moment):
    """The folder is tried once, and used when a kernel is called first."""
    lose = """
import shutil, os
from pathlib import Path
import dpid_cli.downscaling.api
from dpid_cli.kernels import jit
def lose():
    folder = Path(jit.cache_folder())
    shutil.rmtree(folder)
    folder.touch()
"""
    when = {"read": "lose()", "write": "jit.before_compiling(lambda kept: lose())"}[moment]
    done = python(f"{lose}{when}\n{RUN}", *SHRINK, **QUICK, DPID_CACHE_DIR=str(tmp_path / "kernels"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "out.png\n", "")
    assert next((tmp_path / "kernels").iterdir()).is_file()


def test_warm_start_imports_no_numba(cache, photo):
    code = f"""
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
{RUN}"""
    done = python(code, *SHRINK, **cache)
    loaded = set(done.stderr.split())
    assert done.returncode == 0 and "llvmlite.binding" in loaded
    assert not loaded & {"numba", "scipy", "skimage", "PIL.AvifImagePlugin", "PIL.ImageCms", "imagecodecs"}


def test_error_of_the_import_beside_decoding_is_told(cache, photo):
    code = f"import sys; sys.modules['dpid_cli.downscaling.methods.sweeps'] = None; {RUN}"
    done = python(code, *SHRINK, **cache)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("dpid: internal error: ModuleNotFoundError: ")
    assert not Path("out.png").exists()


def test_usage_errors_do_not_wait_for_kernels(photo):
    code = f"import atexit, sys; atexit.register(lambda: print('llvmlite' in sys.modules)); {RUN}"
    done = python(code, *SHRINK[:-1], "--width", "9")
    assert (done.returncode, done.stdout) == (2, "False\n")
    done = python(code, "downscale", "photo.png", "-s", "4", "-o", "out.xcf")
    assert (done.returncode, done.stdout) == (2, "False\n")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A file of the cache, and the code in it."""
    monkeypatch.setattr(code_cache, "folder", lambda: tmp_path)
    code = code_cache.MachineCode("symbol", ["memcpy"], b"object\ncode")
    code_cache.write("dpid_cli.kernels.some.kernel", (1,), code)
    (path,) = tmp_path.iterdir()
    return path, code


def test_code_is_kept_by_kernel_and_types(kept):
    assert code_cache.read("dpid_cli.kernels.some.kernel", (1,)) == kept[1]
    assert code_cache.read("dpid_cli.kernels.some.kernel", (2,)) is None
    assert code_cache.read("dpid_cli.kernels.other.kernel", (1,)) is None
    code_cache.write("elsewhere.kernel", (1,), kept[1])
    assert code_cache.read("elsewhere.kernel", (1,)) is None


def test_damaged_code_is_not_used(kept):
    path, _ = kept
    content = path.read_bytes()
    for k in range(len(content)):
        path.write_bytes(content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :])
        assert code_cache.read("dpid_cli.kernels.some.kernel", (1,)) is None
        path.write_bytes(content[:k])
        assert code_cache.read("dpid_cli.kernels.some.kernel", (1,)) is None


def test_code_that_calls_what_is_not_there_is_not_used(kept):
    code_cache.write(
        "dpid_cli.kernels.some.kernel", (1,), kept[1]._replace(externals=["nowhere_to_be_found"])
    )
    assert code_cache.read("dpid_cli.kernels.some.kernel", (1,)) is None


def test_damaged_kernels_are_compiled_again(cache, photo, tmp_path):
    own = cache | {"DPID_CACHE_DIR": str(tmp_path / "own")}
    shutil.copytree(cache["DPID_CACHE_DIR"], own["DPID_CACHE_DIR"])
    for path in (tmp_path / "own").rglob("*.o"):
        path.write_bytes(path.read_bytes()[:-1])
    expected = process(*SHRINK[:-3], "-o", "-", env=os.environ | cache).stdout
    assert watched(*SHRINK, **own) == (0, NOTICE + "\n")
    assert watched(*SHRINK, **own) == (0, "")
    assert process(*SHRINK[:-3], "-o", "-", env=os.environ | own).stdout == expected


def test_code_that_others_may_have_put_there_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DPID_CACHE_DIR", str(tmp_path))
    find = code_cache.folder.__wrapped__
    path = find()
    assert path.parent == tmp_path and path.stat().st_mode & 0o777 == 0o700
    path.chmod(0o777)
    assert find() is None
    path.chmod(0o755)
    assert find() == path
    if os.getuid() == 0:
        os.chown(path, 4321, -1)
        monkeypatch.setattr(os, "getuid", lambda: 1234)
        assert find() is None


def test_processes_that_compile_at_once(photo, tmp_path):
    variables = os.environ | QUICK | {"DPID_CACHE_DIR": str(tmp_path / "kernels")}
    words = [DPID, *SHRINK[:-3], "-o", "-"]
    runs = [subprocess.Popen(words, stdout=subprocess.PIPE, env=variables) for _ in range(3)]
    results = {run.communicate(timeout=300)[0] for run in runs}
    assert {run.returncode for run in runs} == {0} and len(results) == 1
    assert {path.suffix for path in (tmp_path / "kernels").rglob("*") if path.is_file()} == {".o"}
    assert watched(*SHRINK, **variables) == (0, "")


def test_kernels_without_a_compiler(cache, photo):
    """Kernels are plain Python, which debuggers and coverage can follow."""
    process(*SHRINK, "--scale", "20", env=os.environ)
    expected = Path("out.png").read_bytes()
    code = f"import atexit, sys; atexit.register(lambda: print('numba' in sys.modules)); {RUN}"
    done = python(code, *SHRINK, "--scale", "20", NUMBA_DISABLE_JIT="1")
    assert (done.returncode, done.stdout) == (0, "out.png\nFalse\n")
    assert Path("out.png").read_bytes() == expected
