"""The conventions of other libraries, against these libraries."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import skimage.transform

import dpid_cli
from dpid_cli import ArgumentError, SizeError
from dpid_cli.downscaling import choices, names
from support.exact import random_image


@pytest.mark.parametrize("factor", [1, 0.5, 0.3, 1 / 3, 0.01, (0.5, 0.2), np.float32(0.25)])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((29, 37), None),
        ((29, 37, 3), -1),
        ((3, 29, 37), 0),
        ((29, 2, 37), 1),
        ((29, 37, 7), 2),
        ((2, 30, 40), -3),
    ],
)  # fmt: skip
def test_shapes_of_scikit_image(shape, axis, factor):
    image = random_image(shape, "float64")
    expected = skimage.transform.rescale(image, factor, channel_axis=axis)
    assert dpid_cli.rescale(image, factor, channel_axis=axis).shape == expected.shape


def test_rescale_is_downscale_with_axes_moved():
    image = random_image((24, 36, 3), "uint8")
    expected = dpid_cli.downscale(image, scale=4, method="dpp", lambda_=2)
    options = {"method": "dpp", "lambda_": 2}
    np.testing.assert_array_equal(dpid_cli.rescale(image, 0.25, channel_axis=2, **options), expected)
    planes = dpid_cli.rescale(image.transpose(2, 0, 1), 0.25, channel_axis=0, **options)
    np.testing.assert_array_equal(planes.transpose(1, 2, 0), expected)
    assert planes.flags.c_contiguous and planes.dtype == np.uint8


def test_box_is_close_to_local_means():
    image = random_image((24, 36), "float64")
    expected = skimage.transform.downscale_local_mean(image, (4, 4))
    np.testing.assert_allclose(dpid_cli.rescale(image, 0.25, method="box"), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (((8, 8, 3), 0.5, None), ArgumentError, r"channel_axis: .*\(8, 8, 3\) .*channel_axis=-1"),
        (((8,), 0.5, -1), ArgumentError, r"channel_axis: is for arrays with three axes .*\(8,\)"),
        (((8, 8), [], None), ArgumentError, "factor must be one number"),
        (((8, 8), 2, None), SizeError, "factor: 2 would enlarge"),
        (((8, 8), (0.5, 1.5), None), SizeError, "would enlarge"),
        (((8, 8), 0, None), ArgumentError, "factor must be a finite number above 0"),
        (((8, 8), "half", None), ArgumentError, "factor must be"),
        (
            ((8, 8), (0.5, 0.5, 0.5), None),
            ArgumentError,
            "factor must be one number, or two",
        ),
        (((8, 8), None, None), ArgumentError, "factor must be a finite number"),
        (((8, 8, 3), 0.5, 3), ArgumentError, "channel_axis must be a whole number from -3 to 2"),
        (((8, 8), 0.5, -1), ArgumentError, "channel_axis: is for arrays with three axes"),
    ],
)
def test_wrong_arguments_of_rescale(arguments, error, words):
    shape, factor, axis = arguments
    with pytest.raises(error, match=words):
        dpid_cli.rescale(np.zeros(shape), factor, channel_axis=axis)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_channel_axis_of_downscale(axis):
    image = random_image((24, 36, 5), "uint8")
    moved = np.moveaxis(image, -1, axis)
    result = dpid_cli.downscale(moved, size=(9, 6), channel_axis=axis)
    np.testing.assert_array_equal(np.moveaxis(result, axis, -1), dpid_cli.downscale(image, size=(9, 6)))
    found = dpid_cli.automatic(moved, size=(9, 6), channel_axis=axis, noise="auto")
    assert found == dpid_cli.automatic(image, size=(9, 6), noise="auto")


def test_few_rows_of_many_channels():
    """Without the axis, this could be an image with channels first."""
    image = random_image((4, 60, 20), "float32")
    with pytest.raises(ArgumentError, match=r"looks channels-first: .*channel_axis"):
        dpid_cli.downscale(image, scale=2)
    assert dpid_cli.downscale(image, scale=2, channel_axis=-1).shape == (2, 30, 20)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("lambda_", [0.5, 1.0])
@pytest.mark.parametrize("size", [(20, 15), (22, 17)])
def test_the_package_that_dpid_resize_replaces(size, lambda_, channels):
    """It repeats the outermost means where the paper leaves them out."""
    other = pytest.importorskip("pepedpid", reason="pepedpid is not installed: pip install '.[bench]'")
    image = random_image((60, 80, *channels), "float32", seed=10)
    expected = other.dpid_resize(image, size[1], size[0], lambda_)
    result = dpid_cli.dpid_resize(image, size[1], size[0], lambda_)
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    assert np.abs(result - expected)[1:-1, 1:-1].max() < 1e-5


def test_dpid_resize_takes_more():
    image = random_image((24, 36, 4), "uint8")
    result = dpid_cli.dpid_resize(image, 6, 9, 0.5)
    np.testing.assert_array_equal(result, dpid_cli.downscale(image, size=(9, 6), lambda_=0.5))
    with pytest.raises(SizeError, match="size: 9x25 would enlarge"):
        dpid_cli.dpid_resize(image, h=25, w=9, l=1.0)


@pytest.mark.parametrize(
    ("literal", "words"),
    [
        (names.MethodName, tuple(dpid_cli.METHODS)),
        (names.DifferentiableName, [m.name for m in dpid_cli.METHODS.values() if m.differentiable]),
        *(
            (getattr(names, f"{choice.__name__}Name"), choice.words())
            for choice in (
                choices.Variant, choices.Normalize, choices.Form, choices.Position, choices.Device,
                choices.Objective, choices.Enlargement, choices.Depth, choices.Transparency,
                choices.Truncated, choices.Fit,
            )
        ),
        (names.PaletteName, choices.PaletteUse.words()),
        (names.MetadataName, choices.MetadataPolicy.words()),
        (names.Auto, choices.Automatic.words()),
    ],
)  # fmt: skip
def test_names_for_type_checkers_are_those_that_are_accepted(literal, words):
    assert sorted(typing.get_args(literal)) == sorted(words)


def test_names_of_guidance():
    for name in typing.get_args(names.GuidanceName):
        dpid_cli.downscale(np.zeros((8, 8)), scale=2, guidance=name)


def test_public_names():
    assert set(dpid_cli.__all__) == set(dir(dpid_cli)) >= {"downscale", "rescale", "dpid_resize", "METHODS"}
    for name in dpid_cli.__all__:
        assert getattr(dpid_cli, name) is not None
