"""The registry: every method, its parameters and where it comes from. No kernel is imported here."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

from dpid_cli.errors import ArgumentError

_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Parameter:
    """A parameter of methods: a number within bounds, one of a few words, or a filter.

    Attributes
    ----------
    name : str
        As in Python (`lambda_`); options and reports drop the underscore.
    summary : str
        One line for help and tables.
    choices : tuple of str
        The words allowed; empty for anything else.
    low, high : float
        Bounds of a number, both allowed.
    whole : bool
        Whether the number must be whole.
    filters : bool
        Whether a filter is allowed, beside the words if there are any.
    unset : str
        What happens where the default is None.
    """

    name: str
    summary: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = _LARGEST
    whole: bool = False
    filters: bool = False
    unset: str = ""

    @property
    def label(self) -> str:
        """The name in options, reports and messages."""
        return self.name.rstrip("_")

    def check(self, value: Any, *, above_zero: bool = False) -> Any:
        """`value` in its own type, or an `ArgumentError` that says what is allowed."""
        if self.filters and not (self.choices and isinstance(value, str)):
            return value  # a filter: `filters.resolved` and the method let nothing else pass
        if self.choices:
            if value in self.choices:
                return str(value)
            raise ArgumentError(f"{self.label}: {value!r} is not allowed: give {' or '.join(self.choices)}")
        number = isinstance(value, Integral if self.whole else Real) and not isinstance(value, bool)
        fits = number and self.low <= value <= self.high
        if not fits or (above_zero and value == 0):
            allowed = "above 0" if above_zero else self._bounds()
            sort = "a whole number" if self.whole else "a finite number"
            raise ArgumentError(f"{self.label}: {value!r} is not allowed: give {sort}, {allowed}")
        return int(value) if self.whole else float(value)

    def _bounds(self) -> str:
        return f"{self.low:g} or more" if self.high == _LARGEST else f"from {self.low:g} to {self.high:g}"


# Learned guidance that comes with the package, in `dpid_cli/downscaling/data`.
FILTERS = ("photo", "stars", "text")

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        p.name: p
        for p in (
            Parameter("lambda_", "how much a distinct pixel counts; 0 is the box filter"),
            Parameter("alpha", "weight that every pixel has beside its reward"),
            Parameter("epsilon", "softens the distance near the guidance"),
            Parameter("variant", "reward distinct pixels, or only those above the guidance", ("sym", "asym")),
            Parameter("guidance", "what pixels are compared with", ("box", "gaussian"), filters=True),
            Parameter("normalize", "divide distances by their mean in the window", ("none", "mean")),
            Parameter(
                "window", "side in pixels of windows that overlap", low=1, whole=True,
                unset="windows side by side",
            ),
            Parameter("beta", "share of max in mixed, of edscw in adapool", high=1),
            Parameter("power", "exponent of lp; 1 is the mean, more comes nearer to max", low=1),
            Parameter("form", "draw at random, or compute a mean instead", ("random", "expected")),
            Parameter("seed", "the same seed draws the same pixels", high=2**64 - 1, whole=True),
            Parameter(
                "cell", "side in pixels of the cells in which s3pool and s3dpp draw rows and columns",
                low=1, whole=True, unset="half of each side",
            ),
            Parameter("position", "which pixel of a window subsample takes", ("corner", "centre")),
            Parameter(
                "gate", "filter by which gated mixes max and mean", filters=True, unset="half of each"
            ),
        )
    }
)  # fmt: skip


@dataclass(frozen=True)
class Method:
    """A way to downscale.

    Attributes
    ----------
    name, summary, source : str
        Its name, what it does in a line, and where it comes from.
    family : str
        The module of `dpid_cli.downscaling.registry` whose ``fill`` computes it.
    defaults : mapping of str to float, int, str or None
        The parameters it takes, by Python name.
    above_zero : frozenset of str
        Parameters for which 0 itself is not allowed.
    divisible : bool
        Whether strips of the result can be computed apart.
    packed : bool
        Whether its family reads packed pixels (see `dpid_cli.downscaling.raster.Raster`).
    neighbours : bool
        Whether a strip needs the rows of the result above and below it, too.
    light : {'weighed', 'mean', 'picked'}
        What becomes of it in linear light: values weigh and their light is averaged, or all is computed of
        light, or values are picked, which is the same with and without.
    gpu : bool
        Whether `dpid_cli.downscaling.gpu` computes it, too.
    """

    name: str
    summary: str
    source: str
    family: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    above_zero: frozenset[str] = frozenset()
    divisible: bool = True
    packed: bool = False
    neighbours: bool = False
    light: str = "weighed"
    gpu: bool = False

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults overridden by `given`, whose values None mean "not given".

        Raises
        ------
        ArgumentError
            If a value is not allowed, or the method has no such parameter.
        """
        chosen: dict[str, Any] = dict(self.defaults)
        for name, value in given.items():
            if value is None:
                continue
            if name not in self.defaults:
                owners = ", ".join(m.name for m in METHODS.values() if name in m.defaults)
                raise ArgumentError(
                    f"{PARAMETERS[name].label}: method {self.name} has no such parameter: "
                    f"leave it out, or use {owners}"
                )
            chosen[name] = PARAMETERS[name].check(value, above_zero=name in self.above_zero)
        return chosen


_WEBER = "Weber et al. 2016"
_SAEEDAN = "Saeedan et al. 2018"
_LEE = "Lee, Gallagher & Tu 2016"
_LIMIT = _SAEEDAN + ", limit"
_SERMANET = "Sermanet, Chintala & LeCun 2012"
_SOFTPOOL = "Stergiou, Poppe & Kalliatakis 2021"
_ADAPOOL = "Stergiou & Poppe 2022"
_ZEILER = "Zeiler & Fergus 2013"
_RIPPEL = "Rippel, Snoek & Adams 2015"
_DETAIL: dict[str, Any] = {
    "lambda_": 1.0,
    "alpha": 0.0,
    "epsilon": 0.0,
    "variant": "sym",
    "guidance": "gaussian",
    "normalize": "none",
}
_DPP = _DETAIL | {"epsilon": math.sqrt(1e-3), "guidance": "box"}
_NO_ZERO = frozenset({"epsilon"})
_WINDOW: dict[str, Any] = {"window": None}
_DRAWN: dict[str, Any] = {"form": "random", "seed": 0}
_BLEND = {"beta": 0.5, **_WINDOW}
_CELLS = _DRAWN | {"cell": None}


def _pillow(name: str, summary: str, light: str = "mean") -> Method:
    return Method(name, summary, "Pillow", "resample", divisible=False, light=light)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        m.name: m
        for m in (
            Method(
                "dpid", "weights by colour distance from the smoothed mean", _WEBER, "detail", _DETAIL,
                neighbours=True, packed=True, gpu=True,
            ),
            Method(
                "dpp", "weights by distance per channel", _SAEEDAN, "detail", _DPP, _NO_ZERO, neighbours=True,
                packed=True, gpu=True,
            ),
            Method("s3dpp", "dpp at random rows and columns", _SAEEDAN, "spatial", _DPP | _CELLS, _NO_ZERO),
            Method(
                "box", "mean of the window", "average pooling", "box", _WINDOW, packed=True, light="mean",
                gpu=True,
            ),
            Method(
                "max", "largest value of each channel", "max pooling", "order", _WINDOW, light="picked",
                gpu=True,
            ),
            Method(
                "min", "smallest value of each channel", "min pooling", "order", _WINDOW, light="picked",
                gpu=True,
            ),
            Method(
                "extremum", "value farthest from the mean, per channel", _LIMIT, "order", _WINDOW,
                light="picked", gpu=True,
            ),
            Method(
                "subsample", "one pixel of each window", "striding", "subsample", {"position": "corner"},
                light="picked",
            ),
            Method("mixed", "max and mean, in fixed shares", _LEE, "pooling", _BLEND, light="mean"),
            Method(
                "gated", "max and mean, in shares that a filter sets", _LEE, "pooling", {"gate": None},
                light="mean",
            ),
            Method("lp", "power mean", _SERMANET, "pooling", {"power": 2.0, **_WINDOW}, light="mean"),
            Method("softpool", "weights by exponentials of the values", _SOFTPOOL, "pooling", _WINDOW),
            Method("edscw", "weights by likeness to the mean", _ADAPOOL, "pooling", _WINDOW),
            Method("adapool", "edscw and softpool, in fixed shares", _ADAPOOL, "pooling", _BLEND),
            Method("idw", "weights by inverse distance from the mean", _ADAPOOL, "pooling", _WINDOW),
            Method("stochastic", "a pixel drawn by its value", _ZEILER, "stochastic", _DRAWN | _WINDOW),
            Method(
                "s3pool", "max at random rows and columns", "Zhai et al. 2017", "spatial", _CELLS,
                light="picked",
            ),
            Method("spectral", "lowest frequencies", _RIPPEL, "spectral", divisible=False, light="mean"),
            _pillow("nearest", "one pixel of each window", "picked"),
            _pillow("bilinear", "triangle filter"),
            _pillow("bicubic", "cubic filter, a = -0.5"),
            _pillow("hamming", "Hamming filter, sharper than bilinear"),
            _pillow("lanczos", "Lanczos filter, a = 3"),
        )
    }
)  # fmt: skip


def method_named(name: object) -> Method:
    """The method of that name, or an `ArgumentError` that lists what exists."""
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    raise ArgumentError(f"method: {name!r} is not known: give one of {', '.join(METHODS)}")
