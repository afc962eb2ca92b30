"""Compile a kernel to machine code with Numba. Importing this module imports Numba.

Numba would optimise each helper, with all that it calls, and generate its machine code, so that the innermost
loops are compiled a dozen times. Only the code of the whole kernel is needed: it is optimised once.

Which products are fused with sums (FMA), so that both are rounded once, is decided here in LLVM's code. LLVM
would decide it while it makes machine code, for each architecture in another way, and results would differ
in their last bits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
from numba import typeof, types
from numba.core import config
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler import Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import FastMathOptions
from numba.core.registry import cpu_target
from numba.extending import register_jitable

if TYPE_CHECKING:
    from dpid_cli.kernels.cache import Level
    from dpid_cli.kernels.flags import Use

_ENTRY = ".enter"  # follows the name of the kernel
_RESULTS = 2  # Numba's first two arguments say where results and exceptions go
_ALLOWED = " contract "  # the flag of operations that may be fused
_OPERATION = re.compile(r"  (\S+) = (fmul|fadd|fsub) ((?:\w+ )*)(float|double|<\d+ x (?:float|double)>) (.+)")
_VALUE = re.compile(r'%(?:"[^"]+"|[-\w.$]+)')
_OPERANDS = re.compile(r", (?![^<(]*[>)])")  # what separates them: no comma within a vector
_FMA = "declare {0} @llvm.fma.{1}({0}, {0}, {0})"
_registered: set[Callable[..., Any]] = set()


class _Library(JITCodeLibrary):  # type: ignore[misc]  # Numba has no types
    """LLVM code of a helper or kernel, linked with all that it calls."""

    def optimise(self, formulas: Iterable[str]) -> llvm.ModuleRef:
        """Do all at once what Numba does for each function; `formulas` are parts of names."""
        for function in self._final_module.functions:
            if not function.is_declaration and any(formula in function.name for formula in formulas):
                function.add_function_attribute("alwaysinline")
        super()._optimize_functions(self._final_module)
        super()._optimize_final_module()
        return self._final_module

    def _optimize_functions(self, ll_module: llvm.ModuleRef) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_specific(self) -> None:
        pass  # generates no machine code


class _Codegen(JITCPUCodegen):  # type: ignore[misc]
    _library_class = _Library

    def __init__(self, module_name: str, level: Level | None) -> None:
        self.level = level
        super().__init__(module_name)

    def _init(self, llvm_module: llvm.ModuleRef) -> None:
        super()._init(llvm_module)
        if self.level:
            self._tm = target_machine(self.level)  # whose costs the optimisation weighs
            self._target_data = self._tm.target_data
            self._data_layout = str(self._target_data)

    def _create_empty_module(self, name: str) -> Any:
        module = super()._create_empty_module(name)
        if self.level:
            module.triple = self.level.triple
        return module

    def _add_module(self, module: llvm.ModuleRef) -> None:
        pass  # to the code that is loaded

    def set_env(self, env_name: str, env: Any) -> None:
        pass  # which is where such code finds Python's objects


@cache
def _codegen(level: Level | None) -> _Codegen:
    return _Codegen("dpid", level)


@contextmanager
def _without_machine_code(target: Any, level: Level | None) -> Iterator[None]:
    """Let Numba stop at LLVM code. Its lock must be held: the target is that of all functions."""
    usual = target._internal_codegen
    target._internal_codegen = _codegen(level)
    try:
        yield
    finally:
        target._internal_codegen = usual


def compile_(
    function: Callable[..., None],
    arguments: tuple[Any, ...],
    fastmath: frozenset[str],
    helpers: Mapping[Callable[..., Any], Use],
    level: Level | None = None,
) -> tuple[str, list[str], bytes]:
    """Compile a kernel for arguments of these types; returns the fields of `cache.MachineCode`.

    A process compiles either for its own CPU or for one level, because Numba keeps the code of helpers.
    """
    module, symbol = llvm_module(function, arguments, fastmath, helpers, level)
    module.link_in(llvm.parse_assembly(_entry(module.get_function(symbol))))
    called = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    return symbol + _ENTRY, called, target_machine(level).emit_object(module)


def _entry(kernel: llvm.ValueRef) -> str:
    """LLVM code of a function that calls a kernel with arguments that lie in slots of eight bytes."""
    types = [str(argument.type) for argument in kernel.arguments]
    typed = any(type_.endswith("*") for type_ in types)  # old versions of LLVM have typed pointers
    lines, passed = [], []
    for k, type_ in enumerate(types):
        pointer = f"{type_}*" if typed else "ptr"
        if k < _RESULTS:  # a kernel returns and raises nothing
            lines.append(f"%a{k} = inttoptr i64 %returned to {type_}")
        else:
            lines.append(f"%at{k} = add i64 %slots, {8 * (k - _RESULTS)}")
            lines.append(f"%p{k} = inttoptr i64 %at{k} to {pointer}")
            lines.append(f"%a{k} = load {type_}, {pointer} %p{k}")
        passed.append(f"{type_} %a{k}")
    return f"""
        declare i32 @{kernel.name}({", ".join(types)})
        define i32 @{kernel.name}{_ENTRY}(i64 %slots) {{
            %place = alloca i64
            %returned = ptrtoint {"i64*" if typed else "ptr"} %place to i64
            {chr(10).join(lines)}
            %status = call i32 @{kernel.name}({", ".join(passed)})
            ret i32 %status
        }}"""


def target_machine(level: Level | None = None) -> llvm.TargetMachine:
    """The CPU to compile for: that of a level, or the one that Numba compiles for."""
    if level:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        target, processor, features = llvm.Target.from_triple(level.triple), level.cpu, ""
    else:
        target = llvm.Target.from_default_triple()
        _, processor, features = cpu_target.target_context.codegen().magic_tuple()
    return target.create_target_machine(cpu=processor, features=features, opt=int(config.OPT), jit=True)


def _mangled(function: Callable[..., Any]) -> str:
    """What the names of a function's versions have in common."""
    names = *function.__module__.split("."), function.__name__
    return "".join(f"{len(name)}{name}" for name in names) + "B"


def llvm_module(
    function: Callable[..., None],
    arguments: tuple[Any, ...],
    fastmath: frozenset[str],
    helpers: Mapping[Callable[..., Any], Use],
    level: Level | None = None,
) -> tuple[llvm.ModuleRef, str]:
    """Optimised LLVM code of a kernel, and the name of its function."""
    for new in helpers.keys() - _registered:
        register_jitable(forceinline=helpers[new].inlined)(new)
        _registered.add(new)
    flags = Flags()
    # For `ctypes`: no wrapper that Python would call, and no counted references.
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.nrt = False
    flags.error_model = "numpy"
    flags.fastmath = FastMathOptions(set(fastmath))
    typing, target = cpu_target.typing_context, cpu_target.target_context
    signature = tuple(map(typeof, arguments))
    with global_compiler_lock:
        typing.refresh()
        target.refresh()
        with _without_machine_code(target, level):
            result = compile_extra(typing, target, function, signature, types.none, flags, {})
        result.library.finalize()
        formulas = [_mangled(each) for each, use in helpers.items() if use.in_loops]
        module, symbol = result.library.optimise(formulas), result.fndesc.llvm_func_name
    return (fuse(module) if can_fuse(target_machine(level)) else module), symbol


def can_fuse(machine: llvm.TargetMachine) -> bool:
    """Whether the CPU has an instruction for it; else a slow function of the C library would be called."""
    declaration = _FMA.format("float", "f32")
    module = llvm.parse_assembly(f"""
        {declaration}
        define float @fused(float %a, float %b, float %c) {{
            %sum = call float @llvm.fma.f32(float %a, float %b, float %c)
            ret float %sum
        }}""")
    return "fmaf" not in machine.emit_assembly(module)


def fuse(module: llvm.ModuleRef) -> llvm.ModuleRef:
    """A copy of a module with its products and sums fused where flags allow it, and without these flags.

    A product is fused with a sum that alone uses it, if they lie in one block; of two products, the first.
    """
    code = str(module)
    lines: list[str] = []
    declarations: set[str] = set()
    start = 0
    for line in code.splitlines():
        lines.append(line)
        if line.startswith("define "):
            start = len(lines)
        elif line == "}":
            lines[start:] = _fuse_function(lines[start:], declarations)
    lines += [each for each in sorted(declarations) if each not in code]
    return llvm.parse_assembly("\n".join(lines))


def _fuse_function(lines: Iterable[str], declarations: set[str]) -> Iterator[str]:
    """Lines of a function with its operations fused; adds to `declarations` what they call."""
    uses = Counter(name for line in lines for name in _VALUE.findall(line))
    products: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith(" "):
            products.clear()  # here begins a block
        operation = _OPERATION.fullmatch(line)
        if operation is None or _ALLOWED not in line:
            yield line.replace(_ALLOWED, " ")
            continue
        name, kind, flags, type_, rest = operation.groups()
        flags = flags.replace(_ALLOWED.lstrip(), "")
        left, right = _OPERANDS.split(rest)
        if kind != "fmul" and (left in products or right in products):
            first = left in products
            a, b, c = [*products[left], right] if first else [*products[right], left]
            if kind == "fsub":
                negative = '%"negated {}"'.format(name[1:].strip('"'))
                yield f"  {negative} = fneg {flags}{type_} {c if first else a}"
                a, c = (a, negative) if first else (negative, c)
            suffix = _suffix(type_)
            declarations.add(_FMA.format(type_, suffix))
            yield f"  {name} = call {flags}{type_} @llvm.fma.{suffix}({type_} {a}, {type_} {b}, {type_} {c})"
        else:
            if kind == "fmul" and uses[name] == 2:  # of which one is its own line
                products[name] = [left, right]
            yield line.replace(_ALLOWED, " ")


def _suffix(type_: str) -> str:
    """What names of LLVM's functions have for a type."""
    short = type_.replace("float", "f32").replace("double", "f64")
    return re.sub(r"<(\d+) x (\w+)>", r"v\1\2", short)
