"""Learned guidance as a value and as a small JSON file: a filter, its bias, the parameters it goes with."""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import product
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.registry import FILTERS, PARAMETERS, Method
from dpid_cli.errors import ArgumentError, reason
from dpid_cli.files.atomic import atomic

FORMAT, VERSION = "dpid-filter", 1
GRIDS = ("output", "input")
PADDINGS = ("zero", "replicate", "reflect")
# Parameters of the methods that a file can set, as defaults.
TUNED = ("lambda_", "alpha", "epsilon", "variant", "normalize")

_PACKAGED = Path(__file__).parent / "data"
_LARGEST_FILE = 4 << 20
_LARGEST_KERNEL = 128
_LARGEST_VALUE = 1e6
# Guidance beyond this many times the range of the pixels could overflow float32 when it is squared.
_LARGEST_GAIN = 100.0
_REQUIRED = ("format", "version", "grid", "kernel")


@dataclass(frozen=True, eq=False)
class Filter:
    """The linear map from an image to the guidance of ``dpid`` and ``dpp``: ``G = F * I + b``.

    Parameters
    ----------
    kernel : (K, K) or (C, K, K) array_like
        F, one for all channels or one for each; not normalised. Stored as read-only float64.
    grid : {"output", "input"}, default "output"
        What F is laid over: the window means (3 x 3, any scale), or the pixels of the image (any K from 1
        to 128, in steps of `scale`).
    scale : int, optional
        For the input grid, and required there: how many times smaller each side becomes, >= 1.
    offset : (int, int), optional
        For the input grid, and required there: rows and columns from the top left pixel of a window to
        the pixel that ``kernel[0, 0]`` meets; (-1, -1) begins one pixel above and left of the window.
    padding : {"zero", "replicate", "reflect"}, optional
        For the input grid, "replicate" by default: what lies outside the image. "reflect" mirrors at the
        centre of the outermost pixel. The output grid has a rule of its own, see Notes.
    bias : float or sequence of C floats, default 0.0
        b, in units of intensity, [0, 1] being black to white; a sequence goes with a kernel for each channel.
    lambda_, alpha, epsilon : float, optional
    variant, normalize : str, optional
        Parameters for `downscale` unless others are given there; None leaves the method's default.
    objective : str, optional
    fitted_on, loss : mapping, optional
        How the filter came about; not used in computing.
    name : str, default "filter"
        What errors and reports call it; the path, where it was loaded.

    Raises
    ------
    DpidError
        If a field has a wrong type, shape or value; the message names the field.

    Notes
    -----
    At the border of the output grid, neighbours that do not exist are left out, and the sum is multiplied by
    ``sum(F) / sum(F used)``, which keeps the response to a constant image and makes the normalised
    [1 2 1] filter the guidance of DPID [1]_. Where this factor is not within [1/16, 16] (a derivative
    filter sums to zero), the outermost mean is repeated instead.

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
    grid: str = "output"
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
        if self.grid not in GRIDS:
            self._wrong("grid", self.grid, " or ".join(GRIDS))
        self._set("kernel", self._checked_kernel())
        self._check_place()
        self._set("bias", self._checked_bias())
        for name in TUNED:
            self._check_parameter(name)
        if self.objective is not None and not isinstance(self.objective, str):
            self._wrong("objective", self.objective, "a word")
        for name in ("fitted_on", "loss"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Mapping):
                self._wrong(name, value, "an object")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((self.grid, self.kernel.tobytes(), self.bias))

    def __str__(self) -> str:
        return self.name

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _wrong(self, name: str, found: Any, expected: str, *, as_is: bool = False) -> NoReturn:
        told = found if as_is else _short(found)
        raise ArgumentError(f"{self.name}: {name.rstrip('_')}: found {told}: expected {expected}")

    def _checked_kernel(self) -> NDArray[np.float64]:
        sides = (3,) if self.grid == "output" else range(1, _LARGEST_KERNEL + 1)
        expected = (
            "3 x 3 numbers" if self.grid == "output" else f"K x K numbers, K from 1 to {_LARGEST_KERNEL}"
        )
        shape = _shape(self.kernel)
        one, many = len(shape) == 2, len(shape) == 3 and 1 <= shape[0] <= 4
        if not (one or many) or shape[-1] != shape[-2] or shape[-1] not in sides:
            found = f"{' x '.join(map(str, shape))} values" if shape else _short(self.kernel)
            self._wrong("kernel", found, f"{expected}, or as many for each of up to 4 channels", as_is=True)
        for value in np.ravel(np.asarray(self.kernel, dtype=object)):
            if not _is_number(value):
                self._wrong("kernel", value, f"finite numbers up to {_LARGEST_VALUE:g}")
        kernel = np.array(self.kernel, np.float64)
        kernel.flags.writeable = False
        return kernel

    def _check_place(self) -> None:
        """Scale, offset and padding, which only the input grid has."""
        if self.grid == "output":
            for name in ("scale", "offset", "padding"):
                if getattr(self, name) is not None:
                    self._wrong(name, getattr(self, name), "none, as grid is output")
            return
        if not _is_integer(self.scale, 1, _LARGEST_KERNEL):
            self._wrong("scale", self.scale, f"a whole number from 1 to {_LARGEST_KERNEL}, as grid is input")
        expected = f"two whole numbers from -{_LARGEST_KERNEL} to {_LARGEST_KERNEL}, rows and columns"
        if not isinstance(self.offset, list | tuple) or len(self.offset) != 2:
            self._wrong("offset", self.offset, expected)
        if not all(_is_integer(value, -_LARGEST_KERNEL, _LARGEST_KERNEL) for value in self.offset):
            self._wrong("offset", self.offset, expected)
        self._set("scale", int(self.scale or 0))
        self._set("offset", (int(self.offset[0]), int(self.offset[1])))
        self._set("padding", "replicate" if self.padding is None else self.padding)
        if self.padding not in PADDINGS:
            self._wrong("padding", self.padding, " or ".join(PADDINGS))

    def _checked_bias(self) -> float | tuple[float, ...]:
        if _is_number(self.bias):
            return float(self.bias)  # type: ignore[arg-type]
        one_each = self.kernel.ndim == 3
        expected = "a finite number" + (f", or {len(self.kernel)} of them" if one_each else "")
        values = self.bias.tolist() if isinstance(self.bias, np.ndarray) else self.bias
        if not isinstance(values, list | tuple) or not one_each or len(values) != len(self.kernel):
            self._wrong("bias", values, expected)
        if not all(map(_is_number, values)):
            self._wrong("bias", values, expected)
        return tuple(map(float, values))

    def _check_parameter(self, name: str) -> None:
        value = getattr(self, name)
        if value is None:
            return
        try:
            self._set(name, PARAMETERS[name].check(value))
        except (ArgumentError, OverflowError):
            choices = " or ".join(PARAMETERS[name].choices)
            self._wrong(name, value, choices or "a finite number, 0 or more")

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> Self:
        """Read a filter.

        Parameters
        ----------
        source : str or path
            A name in `methods.FILTERS`, of a filter that comes with the package, or the path of a
            JSON file: a `str` that ends in ``.json`` or has a directory, or any path object.

        Returns
        -------
        Filter

        Raises
        ------
        DpidError
            If there is no such filter, or the file is not one; the message names file, field, what was found
            and what was expected.

        Examples
        --------
        >>> import dpid_cli
        >>> dpid_cli.Filter.load("photo").kernel.shape
        (3, 3)
        """
        if isinstance(source, str) and not source.endswith(".json") and not re.search(r"[/\\]", source):
            if source not in FILTERS:
                raise ArgumentError(
                    f"guidance: {source!r} is not known: give box, gaussian, {', '.join(FILTERS)}, "
                    "or a filter's file, ending in .json"
                )
            return cls._parse((_PACKAGED / f"{source}.json").read_bytes(), source)
        return cls._parse(_content(Path(source)), os.fspath(source))

    @classmethod
    def _parse(cls, content: bytes, name: str) -> Self:
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(
                f"{name}: not a filter: found no JSON ({_one_line(error)}): give a file of 'dpid learn'"
            ) from None
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            found = values.get("format") if isinstance(values, dict) else values
            raise ArgumentError(
                f"{name}: format: found {_short(found)}: expected {FORMAT!r}, as 'dpid learn' writes"
            )
        if values.get("version") != VERSION or isinstance(values["version"], bool):
            raise ArgumentError(f"{name}: version: found {_short(values.get('version'))}: expected {VERSION}")
        for key in _REQUIRED:
            if key not in values:
                raise ArgumentError(f"{name}: {key}: found nothing: expected a value")
        known = {field.name.rstrip("_"): field.name for field in fields(cls) if field.name != "name"}
        for key in values:
            if key not in known and key not in _REQUIRED:
                raise ArgumentError(
                    f"{name}: {_short(key)}: found an unknown field: expected {', '.join(known)}"
                )
        return cls(**{known[key]: value for key, value in values.items() if key in known}, name=name)

    def as_dict(self) -> dict[str, Any]:
        """The content of the file."""
        told: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        for key in ("grid", "scale", "kernel", *(f.name for f in fields(self) if f.name != "name")):
            value = getattr(self, key)
            told[key.rstrip("_")] = value.tolist() if isinstance(value, np.ndarray) else _plain(value)
        return told

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the filter as a JSON file, whole or not at all.

        Parameters
        ----------
        path : str or path
            Ends in ``.json``.
        overwrite : bool, default False
            Whether an existing file may be replaced.

        Raises
        ------
        DpidError
            If the file exists or cannot be written.
        """
        path = Path(path)
        if path.suffix != ".json":
            raise ArgumentError(f"{path}: a filter's file ends in .json: give {path}.json")
        lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.as_dict().items())
        with atomic(path, overwrite) as stream:
            stream.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that it sets, by Python name."""
        return {name: value for name in TUNED if (value := getattr(self, name)) is not None}

    @property
    def step(self) -> int:
        """Pixels from one place of the kernel on the input grid to the next."""
        return self.scale or 1

    def planes(self, channels: int) -> NDArray[np.float64]:
        """The kernel of each channel: (C, K, K)."""
        return np.broadcast_to(self.kernel, (channels, *self.kernel.shape[-2:]))

    def biases(self, channels: int) -> NDArray[np.float64]:
        """The bias of each channel: (C,)."""
        return np.broadcast_to(np.asarray(self.bias, np.float64), (channels,))

    @cached_property
    def at_borders(self) -> NDArray[np.float64]:
        """The kernels that the output grid really uses: (C or 1, 4, 4, 3, 3).

        The second and third axis tell which neighbours exist along rows and columns: 0 neither, 1 the next,
        2 the previous, 3 both. Weights of neighbours that do not exist are 0.
        """
        planes = self.kernel.reshape(-1, 3, 3)
        kernels = [[[_bordered(plane, v, h) for h in range(4)] for v in range(4)] for plane in planes]
        return np.array(kernels)

    def from_borders(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """The adjoint of the derivative of `at_borders`: (C, 4, 4, 3, 3) to the shape of the kernel."""
        planes = self.kernel.reshape(-1, 3, 3)
        summed = gradient if self.kernel.ndim == 3 else gradient.sum(0, keepdims=True)
        result = np.zeros(planes.shape)
        for j, plane in enumerate(planes):
            for v, h in product(range(4), repeat=2):
                result[j] += _bordered_adjoint(plane, v, h, summed[j, v, h])
        return result.reshape(self.kernel.shape)

    def check_fit(self, source: tuple[int, int], target: tuple[int, int], channels: int) -> None:
        """Raise an `ArgumentError` if it cannot guide this downscaling; sizes are (width, height)."""
        if self.kernel.ndim == 3 and len(self.kernel) != channels:
            raise ArgumentError(
                f"{self.name}: kernel: one for each of {len(self.kernel)} channels, but the image has "
                f"{channels}: give another image, or a filter with one kernel for all channels"
            )
        gain = np.abs(self.kernel).sum((-2, -1)).max() + np.abs(self.bias).max()
        if gain > _LARGEST_GAIN:
            self._wrong(
                "kernel", f"sizes that add up to {gain:g}", f"at most {_LARGEST_GAIN:g}, bias included"
            )
        if self.scale is not None and any(n != m * self.scale for n, m in zip(source, target, strict=True)):
            raise ArgumentError(
                f"{self.name}: scale: exactly {self.scale} on the input grid, not {source[0]}x{source[1]} to "
                f"{target[0]}x{target[1]}: crop the image to a multiple of {self.scale} and give that scale"
            )


def over_pixels(scale: int, padding: str = "replicate") -> Filter:
    """A filter on the input grid to start from: the window and one pixel around it, which counts half.

    Parameters
    ----------
    scale : int
    padding : {"replicate", "zero", "reflect"}, default "replicate"

    Returns
    -------
    Filter
        (scale + 2) x (scale + 2), from one pixel above and left of the window on; its weights sum to 1.
    """
    weights = np.array([1.0, *[2.0] * scale, 1.0]) / (2 * scale + 2)
    return Filter(
        np.outer(weights, weights), grid="input", scale=scale, offset=(-1, -1), padding=padding, name="start"
    )


def resolved(method: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with its filters loaded; the parameters of the guidance's filter become defaults.

    Parameters
    ----------
    method : Method
    given : mapping
        Parameters by Python name; None means "not given".

    Raises
    ------
    ArgumentError
        If the guidance is neither a word, a `Filter`, nor the name or path of one, or the method takes no
        filter; or if the path of a gate is not one's.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    if isinstance(chosen.get("gate"), str | os.PathLike):
        chosen["gate"] = Filter.load(Path(chosen["gate"]))
    guidance = chosen.get("guidance")
    if guidance is None or "guidance" not in method.defaults or guidance in PARAMETERS["guidance"].choices:
        return chosen
    if not isinstance(guidance, Filter):
        if not isinstance(guidance, str | os.PathLike):
            raise ArgumentError(
                f"guidance: {_short(guidance)} is not allowed: give a name, a path or a Filter"
            )
        guidance = Filter.load(guidance)
    if method.family != "detail":
        raise ArgumentError(f"guidance: method {method.name} takes no filter: give box or gaussian")
    return guidance.parameters | chosen | {"guidance": guidance}


def _content(path: Path) -> bytes:
    """What a regular file of reasonable size holds."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArgumentError(f"{path}: not a regular file: give a filter's file")
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be read: {reason(error)}: check the path") from error
    if len(content) > _LARGEST_FILE:
        raise ArgumentError(
            f"{path}: not a filter: more than {_LARGEST_FILE >> 20} MiB: give a file of 'dpid learn'"
        )
    return content


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _short(value: Any) -> str:
    """`value` as a message can hold it."""
    return "nothing" if value is None else reprlib.repr(value)


def _is_number(value: object) -> bool:
    """Whether it is a real number of reasonable size."""
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return False
    return bool(abs(value) <= _LARGEST_VALUE)  # type: ignore[operator]  # false for NaN


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high


def _shape(values: Any) -> tuple[int, ...]:
    """The shape of nested lists of equal lengths or an array; () for anything else."""
    try:
        return np.shape(values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object))
    except ValueError:
        return ()


def _plain(value: Any) -> Any:
    """`value` with lists for tuples and dictionaries for mappings, as JSON gives it back."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


_EXISTING = np.array([[0, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]])
# Adds the weights of neighbours that do not exist to those of the outermost ones.
_REPLICATED = np.array(
    [
        [[0, 0, 0], [1, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [1, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 1], [0, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ]
)


def _gain(plane: NDArray[np.float64], used: NDArray[Any]) -> float | None:
    """``sum(F) / sum(F used)``, or None where the outermost means are to be repeated instead."""
    whole, part = plane.sum(), (plane * used).sum()
    gain = whole / part if part != 0 else math.inf
    return float(gain) if 1 / 16 <= gain <= 16 else None


def _bordered(plane: NDArray[np.float64], v: int, h: int) -> NDArray[np.float64]:
    used = np.outer(_EXISTING[v], _EXISTING[h])
    gain = _gain(plane, used)
    if gain is None:
        return np.asarray(_REPLICATED[v] @ plane @ _REPLICATED[h].T)
    return np.asarray(plane * used * gain)


def _bordered_adjoint(
    plane: NDArray[np.float64], v: int, h: int, gradient: NDArray[np.float64]
) -> NDArray[np.float64]:
    used = np.outer(_EXISTING[v], _EXISTING[h])
    gain = _gain(plane, used)
    if gain is None:
        return np.asarray(_REPLICATED[v].T @ gradient @ _REPLICATED[h])
    gained = (gradient * plane * used).sum() / (plane * used).sum()
    return np.asarray(gradient * used * gain + gained * (1 - gain * used))


# The other guidances, as points of the output grid.
BOX = Filter(np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]), name="box")
GAUSSIAN = Filter(np.outer([1.0, 2, 1], [1, 2, 1]) / 16, name="gaussian")
