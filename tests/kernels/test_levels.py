"""Levels of CPUs: which archive a machine uses, and code that is compiled on another machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import llvmlite.binding as llvm
import pytest

from dpid_cli.kernels import cache

# The number of the architecture in ELF files, and an instruction on sixteen or more bytes.
CODE = {"x86-64-v3": (62, "vpminub"), "aarch64": (183, "umin\tv")}
COMPILE = """
import sys
import numpy as np
from dpid_cli.kernels import cache, compiler, flags, residuals
from dpid_cli.kernels.jit import cache_counts
cache.build_for(sys.argv[1])
kernel, rows, out = residuals.subtract_predictions, np.ones((2, 99), np.uint8), np.full((1, 100), 7, np.uint8)
arguments = rows, out, 3
kernel(*arguments)
assert cache_counts() == (1, 0)
assert cache.archive_here() is None
assert (out == 7).all()
[path] = cache.contents()
code = path.read_bytes().split(b"\\n", 2)[2]
assert code[:4] == b"\\x7fELF"
print(int.from_bytes(code[18:20], "little"))
level = cache.build_level()
module, _ = compiler.llvm_module(kernel.function, arguments, kernel.fastmath, flags.helpers(), level)
print(compiler.target_machine(level).emit_assembly(module))
"""


@pytest.mark.parametrize("level", cache.LEVELS)
def test_code_for_every_level_is_compiled_anywhere_and_not_run(tmp_path, level):
    llvm.initialize_all_targets()
    try:
        llvm.Target.from_triple(cache.LEVELS[level].triple)
    except RuntimeError:
        pytest.skip("this LLVM lacks the architecture")
    architecture, vector = CODE[level]
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, level],
        env=os.environ | {"DPID_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    number, _, assembly = done.stdout.partition("\n")
    assert int(number) == architecture
    assert vector in assembly


@pytest.mark.parametrize(
    ("machine", "features", "level"),
    [
        ("x86_64", "abm avx2 bmi1 bmi2 f16c fma movbe avx512f", "x86-64-v3"),
        ("x86_64", "abm avx2 bmi1 bmi2 f16c movbe", None),
        ("x86_64", "", None),  # as where /proc cannot be read
        ("aarch64", "", "aarch64"),
        ("armv7l", "", None),
        ("riscv64", "", None),
    ],
)
def test_which_archive_a_machine_uses(monkeypatch, machine, features, level):
    for name in [name for name in os.environ if name.startswith("NUMBA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    monkeypatch.setattr(cache, "cpu_features", lambda: frozenset(features.split()))
    cache.archive_here.cache_clear()
    try:
        assert cache.archive_here() == (cache.archive(level) if level else None)
    finally:
        cache.archive_here.cache_clear()


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="as Linux names them")
def test_features_of_this_cpu():
    names = {"abm": "lzcnt", "bmi1": "bmi"}
    there = llvm.get_host_cpu_features()
    for name in cache.LEVELS["x86-64-v3"].features:
        assert (name in cache.cpu_features()) == there[names.get(name, name)]
