"""The kernels that come with the package: up to date, complete, and the same code as others."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from dpid_cli.cli.ahead import pack
from dpid_cli.kernels import cache

SHIPPED = list(cache.LEVELS)
HERE = pytest.mark.skipif(
    cache.archive_here() not in map(cache.archive, SHIPPED), reason="this machine compiles its own kernels"
)
DIGEST = """
import hashlib, sys
import numpy as np
from dpid_cli import downscale
from dpid_cli.kernels.jit import cache_counts
rng = np.random.default_rng(7)
digest = hashlib.sha256()
levels = rng.integers(0, 65536, (97, 131, 4), np.uint16)
images = [(levels >> 8).astype(np.uint8)[..., :3], levels[..., 0].copy(), (levels / 65535).astype(np.float32)]
for image in images[: int(sys.argv[1])]:
    for scale in (2, 4, 3.3, 1.04):
        settings = {}, {"lambda_": 0.7}, {"method": "dpp", "alpha": 0.1}, {"linear": True}, {"lambda_": 0.5}
        for options in settings[: int(sys.argv[2])]:
            digest.update(downscale(image, scale=scale, **options).tobytes())
    if len(sys.argv) > 3:
        digest.update(downscale(image, scale=4, method="extremum").tobytes())
        digest.update(downscale(image, scale=4, method="softpool").tobytes())
print(digest.hexdigest(), *cache_counts())
"""


def run(code: str, *words: str, **variables: str) -> list[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=plain | variables,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("level", SHIPPED)
def test_archives_are_made_of_these_sources(level):
    """Else run ``python -m dpid_cli.cli.ahead``."""
    with cache.archive(level).open("rb") as stream:
        names = json.loads(stream.readline())
    stale = [name for name in names if name.split("-")[1] != cache.sources(name.split(".")[0])]
    assert names and not stale


@HERE
def test_nothing_is_compiled_after_installing(tmp_path):
    """No case of the warm-up needs Numba."""
    code = """
import sys
sys.modules["numba"] = None
from dpid_cli.downscaling.warmup import cases
from dpid_cli.kernels.jit import cache_counts
from dpid_cli.cli.ahead import compile_others
for case in cases():
    case.compile()
compile_others()
print(*cache_counts())
"""
    compiled, found = run(code, DPID_CACHE_DIR=str(tmp_path))
    assert int(compiled) == 0 and int(found) > 100


@HERE
@pytest.mark.parametrize(
    "words", [("1", "1"), pytest.param(("3", "4", "and picked"), marks=pytest.mark.soak)], ids=["dpid", "all"]
)
def test_same_bytes_as_code_for_this_machine(tmp_path, words):
    """Compiled for its CPU, with all of its features: one kernel, or many in some minutes."""
    import llvmlite.binding as llvm

    own = {"NUMBA_CPU_NAME": llvm.get_host_cpu_name()}
    digest, compiled, _ = run(DIGEST, *words, DPID_CACHE_DIR=str(tmp_path))
    other, *_ = run(DIGEST, *words, **own)
    assert digest == other
    assert int(compiled) == 0


@HERE
def test_damaged_archives_are_not_used(tmp_path, monkeypatch):
    archive = tmp_path / "a.kernels"
    monkeypatch.setattr(cache, "archive", lambda level: archive)
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    for name in [name for name in os.environ if name.startswith("NUMBA_")]:
        monkeypatch.delenv(name)
    name, key = "dpid_cli.kernels.some.kernel", (1,)
    code = cache.MachineCode("symbol", ["memcpy"], b"object\ncode")
    cache.write(name, key, code)
    pack(archive, tmp_path.glob("*.o"))
    monkeypatch.setattr(cache, "folder", lambda: None)

    def found() -> cache.MachineCode | None:
        cache.archive_here.cache_clear()
        cache.index.cache_clear()
        return cache.read(name, key)

    try:
        assert found() == code
        whole = archive.read_bytes()
        for end in range(len(whole)):
            archive.write_bytes(whole[:end])
            assert found() is None
            archive.write_bytes(whole[:end] + bytes([whole[end] ^ 1]) + whole[end + 1 :])
            assert found() in (None, code)  # as in a digit that nothing reads
    finally:
        cache.archive_here.cache_clear()
        cache.index.cache_clear()
