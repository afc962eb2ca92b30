"""Learned guidance: a linear filter, its bias, and the parameters that it was fitted with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling import borders, filter_files
from dpid_cli.downscaling.choices import FilterGrid, Guidance, Padding
from dpid_cli.downscaling.filter_files import check_path, shape_of, short
from dpid_cli.downscaling.names import FILTERS
from dpid_cli.downscaling.parameters import PARAMETERS
from dpid_cli.errors import ArgumentError, either

if TYPE_CHECKING:
    from dpid_cli.downscaling.registry import Method

# Parameters of the methods that a filter can set, as defaults.
TUNED = ("lambda_", "alpha", "epsilon", "variant", "normalize")
# The fields of a file, in its order.
_FIELDS = ("grid", "scale", "kernel", "offset", "padding", "bias", *TUNED, "objective", "fitted_on", "loss")

_LARGEST_SIDE = 128
_LARGEST_VALUE = 1e6
# Guidance more than this many times the range of the pixels could overflow float32 when squared.
_LARGEST_GAIN = 100.0


@dataclass(frozen=True, eq=False)
class Filter:
    """The linear map from an image to the guidance of ``dpid`` and ``dpp``: ``G = F * I + b``.

    Parameters
    ----------
    kernel : (K, K) or (C, K, K) array_like
        F, one for all channels or one for each; not normalised. Stored as read-only float64.
    grid : {"output", "input"}, default "output"
        What F runs over: the window means (3 x 3, any scale), or the pixels of the image (K x K with any K
        from 1 to 128, in steps of `scale`).
    scale : int, optional
        Required for the input grid: how many times smaller each side becomes, >= 1.
    offset : (int, int), optional
        Required for the input grid: rows and columns from the top left pixel of a window to the pixel under
        ``kernel[0, 0]``; (-1, -1) begins one pixel above and left of the window.
    padding : {"zero", "replicate", "reflect"}, optional
        For the input grid, "replicate" by default: what the filter reads outside the image. "reflect"
        mirrors at the centre of the outermost pixel. For the output grid, see Notes.
    bias : float or sequence of C floats, default 0.0
        b, in units of intensity (0 black, 1 white); a sequence requires a kernel for each channel.
    lambda_, alpha, epsilon : float, optional
    variant, normalize : str, optional
        Defaults of `downscale` with this filter; None keeps the method's default.
    objective : str, optional
    fitted_on, loss : mapping, optional
        A record of the fit; not used in computing.
    name : str, default "filter"
        Name in errors and reports; for a loaded filter, its path.

    Raises
    ------
    DpidError
        If a field has a wrong type, shape or value; the message names the field.

    Notes
    -----
    At the border of the output grid, missing neighbours are left out and the sum is multiplied by
    ``sum(F) / sum(F used)``. This keeps the response to a constant image and makes the normalised [1 2 1]
    filter the guidance of DPID [1]_. If this factor is not within [1/16, 16] (a derivative filter sums to
    zero), the outermost mean is repeated instead.

    References
    ----------
    .. [1] N. Weber et al., "Rapid, Detail-Preserving Image Downscaling", ACM Trans. Graph. 35(6), 2016.
    .. [2] F. Saeedan et al., "Detail-Preserving Pooling in Deep Networks", CVPR 2018 (Full-DPP).

    Examples
    --------
    The guidance of DPID, as a filter:

    >>> import numpy as np, dpid_cli
    >>> gaussian = dpid_cli.Filter(np.outer([1, 2, 1], [1, 2, 1]) / 16)
    >>> image = np.random.default_rng(0).random((24, 32))
    >>> by_filter = dpid_cli.downscale(image, scale=4, guidance=gaussian)
    >>> bool(np.allclose(by_filter, dpid_cli.downscale(image, scale=4, guidance="gaussian")))
    True
    """

    kernel: NDArray[np.float64]
    grid: str = FilterGrid.OUTPUT
    scale: int | None = None
    offset: tuple[int, int] | None = None
    padding: str | None = None
    bias: float | tuple[float, ...] = 0.0
    lambda_: float | None = None
    alpha: float | None = None
    epsilon: float | None = None
    variant: str | None = None
    normalize: str | None = None
    objective: str | None = None
    fitted_on: Mapping[str, Any] | None = None
    loss: Mapping[str, Any] | None = None
    name: str = field(default="filter", repr=False)

    def __post_init__(self) -> None:
        self._require("grid", str(self.grid) in FilterGrid.words(), either(FilterGrid.words()))
        self._set("grid", FilterGrid(self.grid))
        self._check_kernel()
        if self.grid == FilterGrid.INPUT:
            self._check_input_grid()
        else:
            for name in ("scale", "offset", "padding"):
                self._require(name, getattr(self, name) is None, "none, as grid is output")
        self._check_bias()
        for name in TUNED:
            self._check_parameter(name)
        self._require("name", isinstance(self.name, str), "a word")
        self._require("objective", isinstance(self.objective, str | None), "a word")
        for name in ("fitted_on", "loss"):
            self._require(name, isinstance(getattr(self, name), Mapping | None), "an object")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((self.grid, self.kernel.tobytes(), self.bias))

    def __str__(self) -> str:
        return self.name

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _require(self, name: str, holds: bool, expected: str, found: str | None = None) -> None:
        if not holds:
            found = short(getattr(self, name)) if found is None else found
            raise ArgumentError(f"{self.name}: {name.rstrip('_')}: found {found}: expected {expected}")

    def _check_kernel(self) -> None:
        on_output = self.grid == FilterGrid.OUTPUT
        sides = (3,) if on_output else range(1, _LARGEST_SIDE + 1)
        numbers = "3 x 3 numbers" if on_output else f"K x K numbers, K from 1 to {_LARGEST_SIDE}"
        shape = shape_of(self.kernel)
        one, many = len(shape) == 2, len(shape) == 3 and shape[0] >= 1
        fits = (one or many) and shape[-1] == shape[-2] and shape[-1] in sides
        found = f"{' x '.join(map(str, shape))} values" if shape else None
        self._require("kernel", fits, f"{numbers}, or as many for each channel", found)
        values = np.ravel(np.asarray(self.kernel, dtype=object))
        wrong = next((value for value in values if not _is_number(value)), 0)
        self._require("kernel", _is_number(wrong), f"finite numbers up to {_LARGEST_VALUE:g}", short(wrong))
        kernel = np.array(self.kernel, np.float64)
        kernel.flags.writeable = False
        self._set("kernel", kernel)

    def _check_input_grid(self) -> None:
        """Check scale, offset and padding, which only the input grid has."""
        expected = f"a whole number from 1 to {_LARGEST_SIDE}, as grid is input"
        self._require("scale", _is_integer(self.scale, 1, _LARGEST_SIDE), expected)
        offset = self.offset if isinstance(self.offset, list | tuple) else ()
        fits = len(offset) == 2 and all(_is_integer(n, -_LARGEST_SIDE, _LARGEST_SIDE) for n in offset)
        expected = f"two whole numbers from -{_LARGEST_SIDE} to {_LARGEST_SIDE}, rows and columns"
        self._require("offset", fits, expected)
        padding = Padding.REPLICATE if self.padding is None else self.padding
        self._require("padding", padding in Padding.words(), either(Padding.words()))
        self._set("scale", int(self.scale or 0))
        self._set("offset", tuple(map(int, offset)))
        self._set("padding", Padding(padding))

    def _check_bias(self) -> None:
        if _is_number(self.bias):
            self._set("bias", float(self.bias))  # type: ignore[arg-type]
            return
        values = self.bias.tolist() if isinstance(self.bias, np.ndarray) else self.bias
        count = len(self.kernel) if self.kernel.ndim == 3 else None
        fits = isinstance(values, list | tuple) and len(values) == count and all(map(_is_number, values))
        self._require("bias", fits, "a finite number" + (f", or {count} of them" if count else ""))
        self._set("bias", tuple(map(float, values)))  # type: ignore[arg-type]

    def _check_parameter(self, name: str) -> None:
        value = getattr(self, name)
        parameter = replace(PARAMETERS[name], automatic=False)  # a filter has a number
        try:
            self._set(name, None if value is None else parameter.check(value))
        except (ArgumentError, OverflowError):
            self._require(name, False, parameter.allowed)

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> Self:
        """Read a filter.

        Parameters
        ----------
        source : str or path
            The name of a filter that comes with the package, ``photo``, ``stars`` or ``text``; or the path
            of a JSON file: any path object, or a `str` that ends in ``.json`` or contains a folder.

        Returns
        -------
        Filter

        Raises
        ------
        DpidError
            If there is no such filter, or the file does not hold one. The message names the file, the
            field, what was found and what was expected.

        Examples
        --------
        >>> import dpid_cli
        >>> dpid_cli.Filter.load("photo").kernel.shape
        (3, 3)
        """
        check_path("source", source)
        if isinstance(source, str) and not source.endswith(".json") and not re.search(r"[/\\]", source):
            if source not in FILTERS:
                raise ArgumentError(
                    f"guidance: {source!r} is not known: use box, gaussian, {', '.join(FILTERS)}, "
                    "or a filter file, ending in .json"
                )
            content = filter_files.packaged(source)
        else:
            content = filter_files.content_of(Path(source))
        name, labels = os.fspath(source), {key.rstrip("_"): key for key in _FIELDS}
        values = filter_files.parsed(content, name, labels)
        return cls(**{labels[label]: value for label, value in values.items()}, name=name)

    def as_dict(self) -> dict[str, Any]:
        """The content of its file, as JSON types.

        >>> Filter([[0, 0, 0], [0, 1, 0], [0, 0, 0]], alpha=0.1).as_dict()["alpha"]
        0.1
        """
        return filter_files.as_json({key.rstrip("_"): getattr(self, key) for key in _FIELDS})

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the filter as a JSON file, completely or not at all.

        Parameters
        ----------
        path : str or path
            Must end in ``.json``.
        overwrite : bool, default False
            Whether to replace an existing file.

        Raises
        ------
        DpidError
            If the file exists or cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> filter_ = over_pixels(4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     filter_.save(f"{folder}/four.json")
        ...     Filter.load(f"{folder}/four.json") == filter_
        True
        """
        check_path("path", path)
        filter_files.write(Path(path), self.as_dict(), overwrite)

    @property
    def parameters(self) -> dict[str, Any]:
        """The method parameters that it sets, by Python name."""
        return {name: value for name in TUNED if (value := getattr(self, name)) is not None}

    @property
    def is_biased(self) -> bool:
        """Whether the bias is not 0."""
        return bool(np.any(self.bias))

    @property
    def step(self) -> int:
        """Pixels from one position of the kernel on the input grid to the next."""
        return self.scale or 1

    def planes(self, channels: int) -> NDArray[np.float64]:
        """The kernel of each channel: (C, K, K)."""
        return np.broadcast_to(self.kernel, (channels, *self.kernel.shape[-2:]))

    def biases(self, channels: int) -> NDArray[np.float64]:
        """The bias of each channel: (C,)."""
        return np.broadcast_to(np.asarray(self.bias, np.float64), (channels,))

    def part(self, channels: slice) -> Self:
        """The filter for some of the channels."""
        if self.kernel.ndim == 2:
            return self
        bias = self.bias[channels] if isinstance(self.bias, tuple) else self.bias
        return replace(self, kernel=self.kernel[channels], bias=bias)

    @cached_property
    def at_borders(self) -> NDArray[np.float64]:
        """The kernels used on the output grid, (C or 1, 4, 4, 3, 3); see `borders.at_borders`."""
        return borders.at_borders(self.kernel)

    def positions(self, size: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the image that it reads on the input grid; -1 where it reads zeros.

        `size` is (width, height) of the output. The arrays are `row_of` and `column_of` of
        `kernels.filters.filter_pixels`.
        """
        row_of, column_of = (
            borders.padded(first, self.step * (n - 1) + self.kernel.shape[-1], n * self.step, self.padding)
            for n, first in zip(size[::-1], self.offset or (0, 0), strict=True)
        )
        return row_of, column_of

    def check_fit(self, source: tuple[int, int], target: tuple[int, int], channels: int) -> None:
        """Raise an `ArgumentError` if it cannot guide this downscaling; sizes are (width, height)."""
        if self.kernel.ndim == 3 and len(self.kernel) != channels:
            raise ArgumentError(
                f"{self.name}: kernel: has {len(self.kernel)} channels, but the image has {channels}: "
                "use another image, or a filter with one kernel for all channels"
            )
        gain = np.abs(self.kernel).sum((-2, -1)).max() + np.abs(self.bias).max()
        fits, found = gain <= _LARGEST_GAIN, f"sizes that add up to {gain:g}"
        self._require("kernel", fits, f"at most {_LARGEST_GAIN:g}, bias included", found)
        if self.scale is not None and any(n != m * self.scale for n, m in zip(source, target, strict=True)):
            raise ArgumentError(
                f"{self.name}: scale: must be exactly {self.scale}, not {source[0]}x{source[1]} to "
                f"{target[0]}x{target[1]}: crop the image to a multiple of {self.scale} and use that scale"
            )


def over_pixels(scale: int, padding: str = "replicate") -> Filter:
    """Make a filter on the input grid to start a fit from: the window and half of the pixels around it.

    It has (scale + 2) x (scale + 2) weights that sum to 1, from one pixel above and left of the window.

    Examples
    --------
    >>> over_pixels(2).kernel[0] * 36
    array([1., 2., 2., 1.])
    """
    weights = np.array([1.0, *[2.0] * scale, 1.0]) / (2 * scale + 2)
    return Filter(
        np.outer(weights, weights), grid="input", scale=scale, offset=(-1, -1), padding=padding, name="start"
    )


def resolved(method: Method, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Load the filters among the arguments; the parameters that the guidance sets become defaults.

    Arguments are by Python name; None stands for the default. Returns those that are not None, for
    `Method.parameters`. Raises an `ArgumentError` if a filter cannot be loaded, or the method takes none.

    >>> from dpid_cli import METHODS
    >>> list(resolved(METHODS["dpp"], {"guidance": "photo", "alpha": 0.5}))
    ['lambda_', 'alpha', 'epsilon', 'variant', 'normalize', 'guidance']
    """
    chosen = {name: value for name, value in arguments.items() if value is not None}
    if isinstance(chosen.get("gate"), str | os.PathLike):
        chosen["gate"] = Filter.load(Path(chosen["gate"]))
    guidance = chosen.get("guidance")
    is_named = isinstance(guidance, str) and guidance in Guidance.words()
    if guidance is None or "guidance" not in method.defaults or is_named:
        return chosen
    if not isinstance(guidance, Filter | str | os.PathLike):
        raise ArgumentError(f"guidance must be a name, a path or a Filter (got {short(guidance)})")
    if not method.takes_filter:
        raise ArgumentError(f"guidance: method {method.name} takes no filter: use {either(Guidance.words())}")
    filter_ = guidance if isinstance(guidance, Filter) else Filter.load(guidance)
    return filter_.parameters | chosen | {"guidance": filter_}


def _is_number(value: object) -> bool:
    """Whether it is a real number of reasonable size, and not NaN."""
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return False
    return bool(abs(value) <= _LARGEST_VALUE)  # type: ignore[operator]


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high


# The guidances that have names, as filters on the output grid.
BOX = Filter(np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]), name="box")
GAUSSIAN = Filter(np.outer([1.0, 2, 1], [1, 2, 1]) / 16, name="gaussian")


def as_filter(guidance: Guidance | Filter) -> Filter:
    """Return the guidance as a filter."""
    if isinstance(guidance, Filter):
        return guidance
    return BOX if guidance == Guidance.BOX else GAUSSIAN
