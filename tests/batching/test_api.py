"""`dpid_cli.batch`."""

from __future__ import annotations

import os
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

import dpid_cli
from dpid_cli.batching.api import BatchOptions
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.registry import PARAMETERS
from support.command import pixels
from support.folders import files, make


def test_library(folder):
    pairs = [(make(f"in/{k}.png"), folder / "out" / f"{k}.png") for k in range(6)]
    seen = []

    def lazily():
        for pair in pairs:
            seen.append(pair)
            yield pair
        yield "missing.png", "out/missing.png"

    results = dpid_cli.batch(lazily(), scale=2, method="dpp", alpha=0.1, workers=1, pending=2, depth="16")
    first = next(results)
    assert (first.status, first.outputs, first.output_sizes) == ("done", (str(pairs[0][1]),), ((4, 3),))
    assert len(seen) <= 3
    rest = list(results)
    assert Counter(result.status for result in rest) == {"done": 5, "failed": 1}
    rest.sort(key=lambda result: result.status)
    assert rest[-1].error.startswith("missing.png: cannot be read: ")
    for source, target in pairs:
        deep = pixels(source) * np.uint16(257)
        expected = dpid_cli.downscale(deep, scale=2, method="dpp", alpha=0.1)
        np.testing.assert_array_equal(imagecodecs.imread(target), expected)


def test_library_replaces_no_input_by_its_result(folder):
    before = make("a.png").read_bytes()
    (result,) = dpid_cli.batch([("a.png", "./a.png")], scale=2, overwrite=True)
    assert (result.status, Path("a.png").read_bytes()) == ("failed", before)
    assert "never overwritten" in result.error


def test_library_stops_when_nobody_wants_more(folder):
    pairs = [(make(f"in/{k}.png"), folder / "out" / f"{k}.png") for k in range(20)]
    results = dpid_cli.batch(pairs, scale=2, workers=1, pending=2)
    next(results)
    results.close()
    assert 1 <= len(files("out")) <= 3


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"scale": 2, "size": (1, 1)},
        {"scale": 0.5},
        {"scale": 2, "method": "x"},
        {"scale": 2, "workers": 0},
        {"scale": 2, "x": 1},
        {"scale": 2, "depth": 9},
    ],
)
def test_library_refuses_arguments_at_once(wrong):
    with pytest.raises(dpid_cli.DpidError):
        dpid_cli.batch(iter(()), **wrong)


def test_any_executor(folder):
    """Work and results travel to other processes; one that dies takes only its own images with it."""
    pairs = [(make(f"in/{k}.png"), folder / "out" / f"{k}.png") for k in range(5)]
    with ProcessPoolExecutor(1) as executor:
        results = list(dpid_cli.batch(pairs, scale=2, executor=executor, chunk=2, guidance="photo"))
        assert [result.status for result in results] == ["done"] * 5
        with pytest.raises(Exception, match="terminated"):
            executor.submit(os._exit, 1).result()
        lost = list(dpid_cli.batch(pairs, scale=2, executor=executor, chunk=2, overwrite=True))
    assert [result.status for result in lost] == ["failed"] * 5
    assert {result.input for result in lost} == {str(source) for source, _ in pairs}
    assert all("its worker failed" in result.error for result in lost)


def test_options_are_those_of_recipes_and_methods():
    """The types that editors show name all of them, and the documentation all that `downscale` lacks."""
    others = {"size", "method", "parameters", "threads", "importance", "guidance", "maps", "degradation"}
    own = {field.name for field in fields(Recipe)} - others
    assert BatchOptions.__annotations__.keys() == own | PARAMETERS.keys()
    assert [name for name in own if not re.search(rf"\b{name}\b.* : ", dpid_cli.batch.__doc__)] == []


def test_what_users_catch_and_get(folder):
    (result,) = dpid_cli.batch([("a.png", "b.png")], scale=2)
    assert isinstance(result, dpid_cli.Result)
    assert issubclass(dpid_cli.SizeError, dpid_cli.ArgumentError)
    assert issubclass(dpid_cli.FileError, dpid_cli.DpidError)
    with pytest.raises(dpid_cli.SizeError):
        dpid_cli.batch([], scale=0.5)
    assert isinstance(dpid_cli.gradients(np.ones((4, 4)), np.ones((2, 2)), scale=2), dpid_cli.Gradients)
