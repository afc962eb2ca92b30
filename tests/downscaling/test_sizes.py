"""Sizes against exact fractions, and the windows of the grid against their definition."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpid_cli.downscaling.grid import Grid, axis
from dpid_cli.downscaling.sizes import SizeRequest, by_box, by_percent, by_scale, by_side, by_size
from dpid_cli.errors import ArgumentError, SizeError

sides = st.integers(1, 10_000)
sources = st.tuples(sides, sides)
nothing = st.sampled_from([0, -1, -0.5, math.nan, math.inf, -math.inf, "x", None, True, 10**400, -(10**400)])


def half_up(value: Fraction) -> int:
    return max(1, math.floor(value + Fraction(1, 2)))


@given(sources, st.integers(1, 400), st.integers(1, 64))
def test_scale_rounds_half_up_and_never_enlarges(source, numerator, denominator):
    scale = max(1.0, numerator / denominator)
    size = by_scale(source, scale)
    for side, length in zip(source, size, strict=True):
        exact = side / Fraction(scale)
        assert 1 <= length <= side and abs(length - exact) <= max(Fraction(1, 2), 1 - exact) + Fraction(
            1, 10**9
        )
        if Fraction(scale).denominator == 1:  # here no float comes between
            assert length == half_up(exact)


@given(sources, st.integers(1, 100))
def test_percent(source, percent):
    assert by_percent(source, percent) == tuple(half_up(Fraction(side * percent, 100)) for side in source)


@given(sources, st.data())
def test_one_side_keeps_the_aspect_ratio(source, data):
    side = data.draw(st.sampled_from([0, 1]))
    length = data.draw(st.integers(1, source[side]))
    size = by_side(source, "width", length, side)
    assert size[side] == length
    assert size[1 - side] == half_up(Fraction(length * source[1 - side], source[side])) <= source[1 - side]


@given(sources, st.data())
def test_longest_and_shortest(source, data):
    for kind, pick in (("longest", max), ("shortest", min)):
        length = data.draw(st.integers(1, pick(source)))
        size = SizeRequest(kind, length).of(source)
        assert pick(size) == length
        assert size == by_side(source, kind, length, source.index(pick(source)))


@given(sources, st.data())
def test_inside_lies_inside_and_cover_covers(source, data):
    box = data.draw(st.integers(1, source[0])), data.draw(st.integers(1, source[1]))
    inside, cover = (by_box(source, box, fit) for fit in ("inside", "cover"))
    assert all(i <= b <= c <= s for i, b, c, s in zip(inside, box, cover, source, strict=True))
    assert any(i == b for i, b in zip(inside, box, strict=True))
    assert any(c == b for c, b in zip(cover, box, strict=True))
    assert by_size(source, box) == box == SizeRequest("size", box, "exact").of(source)


@given(sources, st.data())
def test_enlarging_is_refused(source, data):
    more = [data.draw(st.integers(side + 1, 20_000)) for side in source]
    below = data.draw(st.floats(0, 1, exclude_min=True, exclude_max=True))
    for request in (
        SizeRequest("scale", below),
        SizeRequest("percent", 100 / below if below > 1e-300 else math.nan),
        SizeRequest("width", more[0]),
        SizeRequest("height", more[1]),
        SizeRequest("longest", max(more)),
        SizeRequest("shortest", max(more)),
        SizeRequest("size", (more[0], 1)),
        SizeRequest("size", (1, more[1])),
        SizeRequest("size", (more[0], more[1]), "inside"),
        SizeRequest("size", (more[0], more[1]), "cover"),
    ):
        with pytest.raises(ArgumentError, match=r"enlarge|nan"):
            request.of(source)


@pytest.mark.parametrize("kind", ["scale", "percent", "width", "height", "longest", "shortest", "size"])
@given(value=nothing)
def test_what_is_no_size_is_refused_before_any_file_is_read(kind, value):
    with pytest.raises(ArgumentError, match=f"^{kind}"):
        SizeRequest(kind, (5, value) if kind == "size" else value).check()


@pytest.mark.parametrize("size", [5, (5,), (5, 6, 7), "55", (2.5, 3)])
def test_malformed_sizes(size):
    with pytest.raises(ArgumentError, match=r"^size"):
        by_size((9, 9), size)


def test_messages_name_what_is_allowed():
    with pytest.raises(
        SizeError, match=r"^width: 61 would enlarge the image, which is 60x40: use at most 60$"
    ):
        by_side((60, 40), "width", 61, 0)


@given(st.integers(1, 300), st.data())
def test_windows_cover_every_pixel_once(source, data):
    target = data.draw(st.integers(1, source))
    windows = axis(source, target)
    assert (windows.source, windows.target) == (source, target)
    # The coverages, spread out as the class says they are to be read.
    found = np.zeros((target, source))
    for i in range(target):
        found[i, windows.first[i] : windows.first[i + 1]] = 1
        found[i, windows.first[i + 1] - 1] = 1 - windows.head[i + 1]
        if windows.head[i] > 0:
            found[i, windows.first[i] - 1] += windows.head[i]
    # The overlap of the intervals [i p, (i + 1) p) and [j, j + 1), by definition.
    bounds = np.arange(target + 1) * source / target
    pixels = np.arange(source)
    overlap = np.minimum(bounds[1:, None], pixels + 1) - np.maximum(bounds[:-1, None], pixels)
    np.testing.assert_allclose(found, np.maximum(overlap, 0), atol=1e-12 * source)
    np.testing.assert_allclose(found.sum(axis=1), source / target)
    np.testing.assert_allclose(found.sum(axis=0), 1)
    assert (windows.head >= 0).all() and (windows.head < 1).all()


@given(st.integers(1, 2**40), st.integers(1, 50))
def test_no_slivers_at_whole_scales(scale, target):
    windows = axis(scale * target, target)
    assert not windows.head.any()
    assert windows.first.tolist() == [i * scale for i in range(target + 1)]


def test_grid_is_rows_by_columns_in_the_type_asked_for():
    grid = Grid.of((60, 40), (7, 3), np.float32)
    assert (grid.xs.source, grid.ys.source, grid.size) == (60, 40, (7, 3))
    assert grid.xs.head.dtype == grid.ys.head.dtype == np.float32
    assert grid.window_area == pytest.approx(60 * 40 / 21)


@pytest.mark.parametrize(("side", "scale", "length"), [(33, 4.4, 8), (15, 100 / 30, 5), (45, 100 / 70, 32)])
def test_halves_are_rounded_up_though_their_scale_is_rounded(side, scale, length):
    assert by_scale((side, side), scale) == (length, length)
