"""Methods and their parameters: what they declare, and what is derived from it."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import dpid_cli
from dpid_cli import METHODS, ArgumentError, downscale
from dpid_cli.downscaling.choices import Choice
from dpid_cli.downscaling.registry import PARAMETERS, equivalent
from dpid_cli.errors import either

LISTS = Choice.__subclasses__()
MODULES = [
    module.name
    for package in ("downscaling", "learning")
    for module in pkgutil.walk_packages(
        importlib.import_module(f"dpid_cli.{package}").__path__, f"dpid_cli.{package}."
    )
    if "gpu" not in module.name
]


def test_every_parameter_is_one_of_the_call():
    call = inspect.signature(downscale).parameters
    assert set(PARAMETERS) == {name for method in METHODS.values() for name in method.defaults}
    assert [name for name in call if name in PARAMETERS] == list(PARAMETERS)
    for name, parameter in PARAMETERS.items():
        assert f"    {name} : " in downscale.__doc__ or f"    {name}," in downscale.__doc__
        assert parameter.summary and not parameter.label.endswith("_")
        assert parameter.unset or parameter.default is not None


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_defaults_are_allowed_and_the_same_when_given(method):
    given = {name: value for name, value in method.defaults.items() if value is not None}
    assert method.parameters(given) == method.parameters({}) == method.takes()
    assert method.parameters(dict.fromkeys(method.defaults)).as_dict() == dict(method.defaults)
    image = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    expected = downscale(image, scale=4, method=method.name)
    np.testing.assert_array_equal(downscale(image, scale=4, method=method.name, **given), expected)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_parameters_cannot_be_changed_and_others_are_refused(method):
    parameters = method.parameters({})
    for name in PARAMETERS:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(parameters, name, 1)
    for name in PARAMETERS.keys() - method.defaults.keys():
        with pytest.raises(ArgumentError, match=f"method {method.name} has no such"):
            method.parameters({name: 1})


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int32])
def test_numbers_of_numpy_are_numbers(kind):
    """Without a warning, which would fail this test."""
    image = np.random.default_rng(1).random((12, 12))
    np.testing.assert_array_equal(
        downscale(image, scale=3, lambda_=kind(1)), downscale(image, scale=3, lambda_=1)
    )


def test_capabilities_fit_each_other():
    assert {m.name for m in METHODS.values() if m.takes_filter} == {"dpid", "dpp"}
    for method in METHODS.values():
        assert not method.differentiable or method.takes_filter
        assert not method.neighbours or method.divisible
        for settings in (*method.settings, *(extra for *_, extra in method.extras)):
            assert settings.keys() - {"linear"} <= method.defaults.keys()


@pytest.mark.parametrize("name", ["dpid", "dpp", "s3dpp"])
def test_only_equal_weights_are_the_box_filter(name):
    method = METHODS[name]
    same, parameters = equivalent(method, method.parameters({"lambda_": 0}))
    assert (same.name, parameters.as_dict()) == (
        ("box", {"window": None})
        if method.takes_filter
        else (name, method.parameters({"lambda_": 0}).as_dict())
    )
    parameters = method.parameters({"lambda_": 1e-9})
    assert equivalent(method, parameters) == (method, parameters)


@pytest.mark.parametrize("words", LISTS)
def test_words(words):
    assert all(words.named("word", word) == word for word in words.words())
    for wrong in ("", None, 1, [], np.zeros(3), "Sym"):
        with pytest.raises(ArgumentError, match=r"^word must be .* \(got "):
            words.named("word", wrong)


def test_alternatives_in_messages():
    assert [either(words) for words in (["a"], ["a", "b"], "abc")] == ["a", "a or b", "a, b or c"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("name", ["downscale", "gradients", "learn", "batch", "Filter", "Transfer"])
def test_what_is_public_has_examples(name):
    public = getattr(dpid_cli, name)
    examples = doctest.DocTestFinder(recurse=False).find(public, name, inspect.getmodule(public))
    assert examples and examples[0].examples


def test_the_documentation_names_every_method_and_parameter():
    text = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    assert all(f"`{name}`" in text for name in METHODS)
    for parameter in PARAMETERS.values():
        assert f"`--{parameter.label}`" in text
        assert all(f"`{word}`" in text for word in parameter.choices)
