"""Compiled kernels: kept, announced, compiled ahead; and what a start imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
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
NOTICE = "dpid: compiling for {} images (about 10 s, once per kind)"


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


def counted(told: str) -> list[str]:
    """The notices on a terminal; each counts seconds in its line."""
    lines = told.split("\n")
    assert lines.pop() == ""
    for line in lines:
        shown = line.split("\r")
        assert shown[0] == "" and len({text.rpartition(": ")[0] for text in shown[1:]}) == 1
        seconds = [int(text.rpartition(": ")[2].removesuffix(" s")) for text in shown[1:]]
        assert seconds[0] == 0 and seconds == sorted(seconds)
    return [line.split("\r")[1].rpartition(": ")[0] for line in lines]


def test_notice_only_of_a_first_run(cache, photo):
    assert watched(*SHRINK, **cache) == (0, "")
    code, told = watched(*SHRINK, "-m", "max", **cache)
    assert (code, counted(told)) == (0, [NOTICE.format("8-bit")])
    assert process(*SHRINK, "-m", "min", "-q", env=os.environ | cache).stderr == b""


def test_notice_says_which_kind_of_image(cache, photo):
    Image.new("I;16", (40, 30)).save("gray.png")
    words = ("downscale", "gray.png", "-s", "4", "-m", "box", "-o", "o.png", "--overwrite")
    done = [process(*words, env=os.environ | cache) for _ in range(2)]
    assert [each.returncode for each in done] == [0, 0]
    told = [each.stderr.decode() for each in done]
    assert told[0].splitlines()[0] == NOTICE.format("16-bit gray") and told[1] == ""


def test_warmup_leaves_nothing_to_compile(cache, photo):
    code = f"""
from dpid_cli.downscaling import warmup
every = warmup.cases
warmup.cases = lambda device: [case for case in every(device) if str(case) == "uint8 RGB, dpp"]
{RUN}"""
    first, second = (python(code, "warmup", "-m", "dpp", "-j", "1", **cache) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    folder, compiled, found = (line.split()[-1] for line in first.stdout.splitlines())
    assert Path(folder).is_relative_to(cache["DPID_CACHE_DIR"])
    assert (int(compiled), int(found)) == (2, 0)  # one of them packs three bytes a pixel
    assert [line.split()[-1] for line in second.stdout.splitlines()] == [folder, "0", "2"]
    for scale in "1.7", "2", "40":
        assert watched(*SHRINK, "-m", "dpp", "-s", scale, **cache) == (0, "")


def test_warmup_covers_what_files_hold():
    told = list(map(str, cases()))
    assert len(set(told)) == len(told)
    own = {name for name, method in METHODS.items() if method.settings or method.extras}
    assert {case.method for case in cases()} == own >= {"dpid", "dpp", "box", "max", "lp", "stochastic"}
    assert "uint16 RGBA, dpp, lambda 0.7, alpha 0.1" in told and "uint8 RGB, dpid" in told
    assert "uint8 RGB, dpid, linear" in told and "uint8 gray, dpid, lambda 0.7, alpha 0.1, linear" in told
    assert "uint16 gray, lp, power 3.0" in told and "float32 gray, dpp, variant asym" in told


def test_warmup_shows_no_progress_without_a_terminal(dpid, monkeypatch):
    monkeypatch.setattr(Case, "compile", lambda self: None)
    assert dpid("warmup", "-m", "max", "-j", "1").stderr == ""
    assert dpid("warmup", "-m", "max", "-j", "1", "--quiet").output == ""


@pytest.fixture
def read_only(photo: Path) -> dict[str, str]:
    """Variables with which no folder for compiled kernels can be made, not even by root: below a file."""
    nowhere = str(photo / "nowhere")
    return QUICK | {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "PYTHONDONTWRITEBYTECODE": "1"}


def test_no_folder_for_kernels(read_only):
    done = python(RUN, *SHRINK, **read_only)
    assert (done.returncode, done.stdout) == (0, "out.png\n")
    assert {line.partition("(")[2] for line in done.stderr.splitlines()} == {
        "about 10 s, in every run: see 'dpid info')"
    }
    assert "none: no folder that only you can write" in python(RUN, "info", **read_only).stdout
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
    if folder.is_dir():
        shutil.rmtree(folder)
        folder.touch()
"""
    late = "compile_ = compiler.compile_; compiler.compile_ = lambda *words: (lose(), compile_(*words))[1]"
    when = {"read": "lose()", "write": f"from dpid_cli.kernels import compiler; {late}"}[moment]
    done = python(f"{lose}{when}\n{RUN}", *SHRINK, **QUICK, DPID_CACHE_DIR=str(tmp_path / "kernels"))
    assert (done.returncode, done.stdout) == (0, "out.png\n")
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
    assert not loaded & {"PIL.GifImagePlugin", "PIL.JpegImagePlugin", "pyexpat", "subprocess"}


@pytest.mark.parametrize("chosen", [{}, {"OPENBLAS_NUM_THREADS": "3"}])
def test_numpy_starts_no_threads_for_linear_algebra_unless_told(cache, photo, chosen):
    code = f"""
import atexit, os, sys
atexit.register(lambda: print(os.environ["OPENBLAS_NUM_THREADS"], file=sys.stderr))
{RUN}"""
    done = python(code, *SHRINK, **cache, **chosen)
    assert (done.returncode, done.stderr) == (0, chosen.get("OPENBLAS_NUM_THREADS", "1") + "\n")


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
    code, told = watched(*SHRINK, **own)
    assert code == 0 and counted(told)[0] == NOTICE.format("8-bit RGB")
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
    files = [path.name for path in (tmp_path / "kernels").rglob("*") if path.is_file()]
    assert {Path(name).suffix for name in files if name != "used"} == {".o"}
    assert watched(*SHRINK, **variables) == (0, "")


def test_a_kernel_is_compiled_by_one_process(photo, tmp_path):
    code = f"""
import atexit
from dpid_cli.kernels.jit import cache_counts
atexit.register(lambda: print(*cache_counts()))
{RUN}"""
    words = [sys.executable, "-c", code, *SHRINK[:-3], "-o", f"{tmp_path}/"]
    variables = os.environ | QUICK | {"DPID_CACHE_DIR": str(tmp_path / "kernels")}
    folders = [tmp_path / str(k) for k in range(3)]
    for folder in folders:
        folder.mkdir()
    runs = [
        subprocess.Popen([*words[:-1], f"{folder}/"], stdout=subprocess.PIPE, text=True, env=variables)
        for folder in folders
    ]
    counts = [run.communicate(timeout=300)[0].splitlines()[-1].split() for run in runs]
    assert sum(int(compiled) for compiled, _ in counts) == len(list((tmp_path / "kernels").rglob("*.o")))


def test_workers_of_warmup_leave_nothing_to_compile(photo, tmp_path):
    variables = os.environ | QUICK | {"DPID_CACHE_DIR": str(tmp_path)}
    words = ("warmup", "-m", "max", "-m", "min", "-j", "2")
    first, second = (process(*words, env=variables) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, b"")
    numbers = [int(done.stdout.split()[k]) for done in (first, second) for k in (-3, -1)]
    compiled, _, again, found = numbers
    assert compiled == len(list(tmp_path.rglob("*.o"))) > 0 and (again, found > 0) == (0, True)


def test_interrupted_compilation_ends_at_once(photo, tmp_path):
    """Though LLVM hears no signals."""
    variables = os.environ | {"NUMBA_OPT": "3", "DPID_CACHE_DIR": str(tmp_path)}
    words = ["downscale", "photo.png", "-s", "4", "-o", "o.png", "-j", "2"]
    code = """
import os, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs in the background ignore
from dpid_cli.kernels import compiler, jit
def interrupt():
    print(time.monotonic(), flush=True)
    os.kill(os.getpid(), signal.SIGINT)
jit.report_to = lambda listener: threading.Timer(2, interrupt).start()
from dpid_cli.cli import main
import sys
sys.argv[0] = "dpid"
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=variables, capture_output=True, text=True, timeout=60
    )
    ended = time.monotonic()
    assert (done.returncode, done.stderr.strip()) == (130, "")
    assert ended - float(done.stdout.split()[0]) < 5  # on a busy machine; it was never more than a moment
    assert not Path("o.png").exists()


def test_an_edit_recompiles_what_it_touches(tmp_path, monkeypatch):
    for name, content in (
        ("windows", "from dpid_cli.kernels.tiles import fold\nfrom dpid_cli.kernels.jit import kernel\n"),
        ("tiles", "from dpid_cli.kernels import flags, cache\n"),
        ("flags", "a\n"),
        ("jit", "        from dpid_cli.kernels import compiler\n"),
        ("compiler", "b\n"),
        ("cache", "c\n"),
        ("order", "from dpid_cli.kernels.jit import kernel\n"),
    ):
        (tmp_path / f"{name}.py").write_text(content)
    monkeypatch.setattr(code_cache, "HERE", tmp_path)

    def digests() -> dict[str, str]:
        code_cache.sources.cache_clear()
        return {name: code_cache.sources(name) for name in ("windows", "order")}

    try:
        before = digests()
        for edited, changed in (
            ("windows", {"windows"}), ("tiles", {"windows"}), ("flags", {"windows"}), ("cache", set()),
            ("compiler", {"windows", "order"}),
        ):  # fmt: skip
            path = tmp_path / f"{edited}.py"
            original = path.read_text()
            path.write_text(original + "# edited\n")
            after = digests()
            assert {name for name in before if before[name] != after[name]} == changed, edited
            path.write_text(original)
    finally:
        code_cache.sources.cache_clear()


def test_older_code_of_a_kernel_is_removed(kept, monkeypatch):
    path, code = kept
    monkeypatch.setattr(code_cache, "sources", lambda module: "0" * 16)
    code_cache.write("dpid_cli.kernels.some.kernel", (1,), code)
    (newer,) = path.parent.glob("*.o")
    assert newer.name != path.name
    assert code_cache.read("dpid_cli.kernels.some.kernel", (1,)) == code


def test_caches_that_nobody_uses_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("DPID_CACHE_DIR", str(tmp_path))
    old, recent, other = tmp_path / ("a" * 16), tmp_path / ("b" * 16), tmp_path / "mine"
    for folder in old, recent, other:
        folder.mkdir()
        (folder / "k.o").touch()
    for folder in old, other:
        os.utime(folder, (0, 0))
    path = code_cache.folder.__wrapped__()
    assert set(tmp_path.iterdir()) == {recent, other, path}


def test_cache_command(dpid, cache, monkeypatch):
    done = process("cache", env=os.environ | cache)
    folder, kernels = (line.split(maxsplit=2)[-1] for line in done.stdout.decode().splitlines()[:2])
    assert Path(folder).is_relative_to(cache["DPID_CACHE_DIR"]) and not kernels.startswith("0,")
    own = os.environ | QUICK | {"DPID_CACHE_DIR": str(Path(cache["DPID_CACHE_DIR"]).with_name("copy"))}
    shutil.copytree(cache["DPID_CACHE_DIR"], own["DPID_CACHE_DIR"])
    assert "kernels       0, 0.0 MB" in process("cache", "--clear", env=own).stdout.decode()
    assert not list(Path(own["DPID_CACHE_DIR"]).rglob("*.o"))


def test_kernels_without_a_compiler(cache, photo):
    """Kernels are plain Python, which debuggers and coverage can follow."""
    process(*SHRINK, "--scale", "20", env=os.environ)
    expected = Path("out.png").read_bytes()
    code = f"import atexit, sys; atexit.register(lambda: print('numba' in sys.modules)); {RUN}"
    done = python(code, *SHRINK, "--scale", "20", NUMBA_DISABLE_JIT="1")
    assert (done.returncode, done.stdout) == (0, "out.png\nFalse\n")
    assert Path("out.png").read_bytes() == expected
