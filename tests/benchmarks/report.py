"""Measure everything, and write it between the markers of docs/benchmarks.md.

Run as ``python -m tests.benchmarks.report`` from the root of the repository, after
``python -m pip install -e ".[bench]"``, on an idle machine; it takes half an hour, most of which is the
warm-up. ``--quick`` and ``--only`` print what they measure; they write it only with ``--output``.
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dpid_cli

from .batches import batches
from .commands import commands
from .encoding import encoding
from .first import first, warmup
from .gpu import gpu
from .library import exponents, filters, growth, near, poolings, types
from .machine import machine
from .markdown import BEGIN, END, Facts, Section, replace_between
from .measure import Plan
from .targets import targets

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTIONS: dict[str, Callable[[Plan], Section]] = {
    "filters": filters,
    "exponents": exponents,
    "poolings": poolings,
    "types": types,
    "near": near,
    "growth": growth,
    "first": first,
    "commands": commands,
    "encoding": encoding,
    "batches": batches,
    "warmup": warmup,
    "gpu": gpu,
}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.report", description="Measure dpid.")
    parser.add_argument(
        "--quick", action="store_true", help="measure some cases in few rounds, to try it out"
    )
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="measure this section; may be repeated"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write into FILE, between its markers, or create it"
    )
    return parser.parse_args(argv)


def measured(plan: Plan, names: Sequence[str]) -> str:
    """The machine, the sections, and the verdicts that follow from them."""
    sections, facts = [machine(plan)], Facts()
    for name in names:
        start = time.perf_counter()
        section = SECTIONS[name](plan)
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        sections.append(section)
        facts |= section.facts
    return "\n\n".join(map(str, [*sections, targets(facts)]))


def compile_modules() -> None:
    """Compile Python's modules to bytecode, as pip does; an editable install may have none."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(dpid_cli.__file__).parent, quiet=1)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, then print or write."""
    options = arguments(argv)
    compile_modules()
    partial = options.quick or options.only
    target = options.output or (None if partial else DOCUMENT)
    text = f"{BEGIN}\n{END}\n"
    if target is not None and target.exists():
        text = target.read_text(encoding="utf-8")
    text_with_nothing = replace_between(text, "")  # fail on missing markers before measuring
    generated = measured(Plan(quick=options.quick), options.only or list(SECTIONS))
    if target is None:
        print(generated)
    else:
        target.write_text(replace_between(text_with_nothing, generated), encoding="utf-8")


if __name__ == "__main__":
    main()
