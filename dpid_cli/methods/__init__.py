"""The registry: every method, its parameters and where it comes from. No kernel is imported here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any

from dpid_cli.errors import ArgumentError


@dataclass(frozen=True)
class Parameter:
    """A parameter of methods: a number with a lower bound, or one of a few words.

    Attributes
    ----------
    name : str
        As in Python (`lambda_`); options and reports drop the underscore.
    summary : str
        One line for help and tables.
    choices : tuple of str
        The words allowed; empty for a number.
    filters : bool
        Whether a filter is allowed beside the words.
    """

    name: str
    summary: str
    choices: tuple[str, ...] = ()
    filters: bool = False

    @property
    def label(self) -> str:
        """The name in options, reports and messages."""
        return self.name.rstrip("_")

    def check(self, value: Any, *, above_zero: bool = False) -> Any:
        """`value` in its own type, or an `ArgumentError` that says what is allowed."""
        if self.filters and not isinstance(value, str):
            return value  # a `Filter`: `filters.resolved` lets nothing else pass
        if self.choices:
            if value in self.choices:
                return str(value)
            raise ArgumentError(f"{self.label}: {value!r} is not allowed: give {' or '.join(self.choices)}")
        allowed = "a finite number above 0" if above_zero else "a finite number, 0 or more"
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        if not math.isfinite(number) or number < 0 or (above_zero and number == 0):
            raise ArgumentError(f"{self.label}: {value!r} is not allowed: give {allowed}")
        return number


# Learned guidance that comes with the package, in `dpid_cli/data`.
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
        )
    }
)


@dataclass(frozen=True)
class Method:
    """A way to downscale.

    Attributes
    ----------
    name, summary, source : str
        Its name, what it does in a line, and where it comes from.
    family : str
        The module of `dpid_cli.methods` whose ``fill`` computes it.
    defaults : mapping of str to float or str
        The parameters it takes, by Python name.
    above_zero : frozenset of str
        Parameters for which 0 itself is not allowed.
    divisible : bool
        Whether strips of the result can be computed apart.
    packed : bool
        Whether its family reads packed pixels (see `dpid_cli.raster.Raster`).
    """

    name: str
    summary: str
    source: str
    family: str
    defaults: Mapping[str, float | str] = field(default_factory=dict)
    above_zero: frozenset[str] = frozenset()
    divisible: bool = True
    packed: bool = False

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
_DETAIL: dict[str, float | str] = {
    "lambda_": 1.0,
    "alpha": 0.0,
    "epsilon": 0.0,
    "variant": "sym",
    "guidance": "gaussian",
    "normalize": "none",
}
_DPP = _DETAIL | {"epsilon": math.sqrt(1e-3), "guidance": "box"}


def _pillow(name: str, summary: str) -> Method:
    return Method(name, summary, "Pillow", "resample", divisible=False)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        m.name: m
        for m in (
            Method(
                "dpid", "weights by colour distance from the smoothed mean", _WEBER, "detail", _DETAIL,
                packed=True,
            ),
            Method(
                "dpp", "weights by distance per channel, differentiable", _SAEEDAN, "detail", _DPP,
                above_zero=frozenset({"epsilon"}), packed=True,
            ),
            Method("box", "mean of the window", "average pooling", "box", packed=True),
            Method("max", "largest value of each channel", "max pooling", "order"),
            Method("min", "smallest value of each channel", "min pooling", "order"),
            Method("extremum", "value farthest from the mean, per channel", _SAEEDAN + ", limit", "order"),
            _pillow("nearest", "one pixel of each window"),
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
