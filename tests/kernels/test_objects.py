"""Object code that is loaded without LLVM, which makes it here."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from dpid_cli.kernels import cache, objects

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="LLVM loads code on this machine"
)

CODE = """
@table = private constant [3 x i64] [i64 5, i64 7, i64 11]
@pointer = private constant ptr @halved
declare ptr @memset(ptr, i32, i64)
declare i32 @no_such_function_anywhere()

define double @halved(double %x) {
  %y = fmul double %x, 0x3FE0000000000000
  %z = fadd double %y, 0x40091EB851EB851F
  ret double %z
}

define i64 @entry(i64 %k) {
  %place = getelementptr [3 x i64], ptr @table, i64 0, i64 %k
  %value = load i64, ptr %place
  ret i64 %value
}

define double @indirect(double %x) {
  %function = load ptr, ptr @pointer
  %y = call double %function(double %x)
  ret double %y
}

define void @blank(ptr %memory, i64 %count) {
  %done = call ptr @memset(ptr %memory, i32 42, i64 %count)
  ret void
}
"""
MISSING = """
declare i32 @no_such_function_anywhere()
define i32 @calls() {
  %y = call i32 @no_such_function_anywhere()
  ret i32 %y
}
"""


def compiled(code: str = CODE, model: str = "large", triple: str | None = None) -> bytes:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple) if triple else llvm.Target.from_default_triple()
    machine = target.create_target_machine(codemodel=model, reloc="static", opt=0)
    module = llvm.parse_assembly(code)
    if triple:
        module.triple = triple
    return machine.emit_object(module)


def test_constants_functions_and_the_library():
    file = compiled()
    halved = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    assert halved(objects.load(file, "halved"))(8.0) == 4 + 3.14
    assert halved(objects.load(file, "indirect"))(-2.0) == -1 + 3.14
    entry = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(objects.load(file, "entry"))
    assert [entry(k) for k in range(3)] == [5, 7, 11]
    memory = ctypes.create_string_buffer(b"x" * 20)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(objects.load(file, "blank"))(
        ctypes.addressof(memory), 11
    )
    assert memory.raw[:-1] == b"*" * 11 + b"x" * 9


def test_code_cannot_be_written():
    address = objects.load(compiled(), "entry")
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(number, 16) for number in line.split()[0].split("-"))
        if start <= address < end:
            assert line.split()[1] == "r-xp"
            return
    raise AssertionError("the code lies nowhere")


@pytest.mark.parametrize(
    "file",
    [b"", b"\x7fELF", bytes(200), compiled()[:-300], compiled()[:64], compiled(triple="aarch64-linux-gnu"),
     compiled(triple="i686-linux-gnu", model="default"), compiled(MISSING)],
    ids=["nothing", "beginning", "zeros", "cut", "header", "other machine", "32 bits", "missing function"],
)  # fmt: skip
def test_what_is_refused(file):
    for symbol in "halved", "calls":
        with pytest.raises(objects.RefusedError):
            objects.load(file, symbol)


def test_other_relocations_and_symbols_are_refused():
    with pytest.raises(objects.RefusedError):
        objects.load(compiled(model="small"), "halved")
    with pytest.raises(objects.RefusedError):
        objects.load(compiled(), "no such symbol")


def test_llvm_gives_the_same_pixels():
    code = """
import sys
import numpy as np
if {without}:
    from dpid_cli.kernels import objects
    def refuse(file, symbol): raise objects.RefusedError
    objects.load = refuse
from dpid_cli import downscale
noise = np.random.default_rng(1).integers(0, 256, (90, 70), np.uint8)
print(downscale(noise, scale=3.3).tobytes().hex(), "llvmlite" in sys.modules)
"""
    pixels, by_llvm = (
        subprocess.check_output([sys.executable, "-c", code.format(without=without)], text=True).split()
        for without in (False, True)
    )
    assert pixels[0] == by_llvm[0] and by_llvm[1] == "True"
    assert pixels[1] == str(cache.archive_here() is None)
