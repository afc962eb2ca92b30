"""The examples in docstrings run, and every public function and class has some."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

import dpid_cli

MODULES = [module.name for module in pkgutil.walk_packages(dpid_cli.__path__, "dpid_cli.")]
# Only extras install these.
OPTIONAL = ("cuda", "distributed", "fsspec", "numba.cuda", "paramiko", "torch", "vapoursynth")
DOCUMENTED = [
    name
    for name in dpid_cli.__all__
    if inspect.isfunction(getattr(dpid_cli, name)) or inspect.isclass(getattr(dpid_cli, name))
]


def imported(name: str):
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if str(error.name).startswith(OPTIONAL):
            pytest.skip(f"{error.name} is not installed")
        raise


def run(owner, name: str, module) -> int:
    """Run all examples of a module, class or function; return how many there are."""
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for test in doctest.DocTestFinder().find(owner, name, module=module):
        runner.run(test, out=report.append)
    results = runner.summarize(verbose=False)
    assert results.failed == 0, "".join(report)
    return results.attempted


@pytest.mark.parametrize("name", ["dpid_cli", *(name for name in MODULES if not name.endswith("__main__"))])
def test_examples_of_a_module(name):
    module = imported(name)
    run(module, name, module)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_public_names_have_examples(name):
    public = getattr(dpid_cli, name)
    assert "Examples\n--------" in inspect.getdoc(public)
    assert run(public, name, inspect.getmodule(public)) > 0
