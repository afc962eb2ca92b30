"""Which products and sums are rounded once, and what LLVM may no longer decide."""

from __future__ import annotations

import ctypes
import re
from fractions import Fraction

import llvmlite.binding as llvm
import numpy as np
import pytest

from dpid_cli.kernels import cache, compiler

PAIRS = "<2 x double>"
SUMS = {
    "a * b + c": ("%p = fmul contract double %a, %b", "%s = fadd contract double %p, %c"),
    "c + a * b": ("%p = fmul contract double %a, %b", "%s = fadd contract double %c, %p"),
    "a * b - c": ("%p = fmul contract double %a, %b", "%s = fsub contract double %p, %c"),
    "c - a * b": ("%p = fmul contract double %a, %b", "%s = fsub contract double %c, %p"),
    "1.5 - 0.1 * b": ("%p = fmul contract double 1.0e-1, %b", "%s = fsub contract double 1.5, %p"),
}
APART = {
    "the product has no flag": ("%p = fmul double %a, %b", "%s = fadd contract double %p, %c"),
    "the sum has no flag": ("%p = fmul contract double %a, %b", "%s = fadd double %p, %c"),
    "the product is used twice": (
        "%p = fmul contract double %a, %b",
        "%q = fmul double %p, 0.0",
        "%d = fadd double %q, %c",
        "%s = fadd contract double %p, %d",
    ),
    "they lie in two blocks": (
        "%p = fmul contract double %a, %b",
        "br label %next",
        "next:",
        "%s = fadd contract double %p, %c",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _targets():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@pytest.fixture
def _able(_targets):
    if not compiler.can_fuse(compiler.target_machine()):
        pytest.skip("this CPU has no instruction for fused sums")


def module(instructions):
    body = "\n".join(f"{'' if each.endswith(':') else '  '}{each}" for each in instructions)
    code = f"define double @f(double %a, double %b, double %c) {{\n{body}\n  ret double %s\n}}\n"
    return llvm.parse_assembly(code)


def compiled(instructions):
    """A function of three numbers, fused, and what keeps its machine code alive."""
    machine = compiler.target_machine()
    engine = llvm.create_mcjit_compiler(compiler.fuse(module(instructions)), machine)
    engine.finalize_object()
    return ctypes.CFUNCTYPE(*[ctypes.c_double] * 4)(engine.get_function_address("f")), engine


def triples():
    return np.random.default_rng(3).uniform(-2, 2, (200, 3)).tolist()


@pytest.mark.usefixtures("_able")
@pytest.mark.parametrize("formula", SUMS)
def test_product_and_sum_are_rounded_once(formula):
    function, _engine = compiled(SUMS[formula])
    differ = 0
    for a, b, c in triples():
        exact = {"a": Fraction(a), "b": Fraction(b), "c": Fraction(c)}
        text = formula.replace("1.5", "Fraction(1.5)").replace("0.1", "Fraction(0.1)")
        once = float(eval(text, {"Fraction": Fraction}, exact))
        assert function(a, b, c) == once
        differ += once != eval(formula, {"a": a, "b": b, "c": c})
    assert differ  # else the numbers could not tell


@pytest.mark.usefixtures("_able")
@pytest.mark.parametrize("reason", APART)
def test_product_and_sum_stay_apart(reason):
    function, _engine = compiled(APART[reason])
    assert [function(a, b, c) for a, b, c in triples()] == [a * b + c for a, b, c in triples()]


@pytest.mark.usefixtures("_able")
def test_of_two_products_the_first_is_fused():
    function, _engine = compiled(
        (
            "%p = fmul contract double %a, %b",
            "%q = fmul contract double %b, %c",
            "%s = fadd contract double %p, %q",
        )
    )
    for a, b, c in triples():
        assert function(a, b, c) == float(Fraction(a) * Fraction(b) + Fraction(b * c))


def test_vectors_names_and_flags():
    code = f"""define {PAIRS} @f({PAIRS} %"a b", {PAIRS} %c) {{
  %1 = fmul nsz contract {PAIRS} %"a b", <double 1.5, double 2.5>
  %2 = fsub nnan nsz contract {PAIRS} %c, %1
  %3 = fmul contract {PAIRS} %2, %2
  %".4" = fadd contract {PAIRS} %3, <double 1.0, double 3.0>
  ret {PAIRS} %".4"
}}"""
    text = str(compiler.fuse(llvm.parse_assembly(code)))
    assert len(re.findall(r"call [a-z ]*<2 x double> @llvm\.fma\.v2f64\(", text)) == 2
    assert "call nnan nsz <2 x double>" in text and "contract" not in text


@pytest.mark.parametrize(
    ("triple", "cpu", "able"),
    [
        (cache.LEVELS["x86-64-v3"].triple, "x86-64-v3", True),
        (cache.LEVELS["x86-64-v3"].triple, "x86-64-v2", False),
        (cache.LEVELS["aarch64"].triple, "generic", True),
    ],
)
def test_which_cpus_can(triple, cpu, able):
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu)
    assert compiler.can_fuse(machine) is able
