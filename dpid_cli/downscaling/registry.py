"""The registry: every method, what it can do, its parameters and where it comes from. Imports no kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any

from dpid_cli.downscaling import parameters as sets
from dpid_cli.downscaling.choices import LinearLight
from dpid_cli.downscaling.names import FILTERS, MethodName
from dpid_cli.downscaling.parameters import PARAMETERS, Parameter, Parameters, WindowParameters
from dpid_cli.errors import ArgumentError

__all__ = ["FILTERS", "METHODS", "PARAMETERS", "Method", "Parameter", "equivalent", "method_named"]

Settings = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Method:
    """A method of downscaling, and what it can do.

    Attributes
    ----------
    name, summary, source : str
        Its name, what it does in one line, and where it comes from.
    family : str
        The module of `dpid_cli.downscaling.methods` that computes it.
    takes : type
        The dataclass of its parameters.
    divisible, neighbours : bool
        Whether strips of the output can be computed independently; whether these also need the output rows
        above and below them.
    packed : bool
        Whether its family reads packed pixels (see `dpid_cli.downscaling.raster.Raster`).
    absolute : bool
        Whether its results depend on which value stands for intensity 1, whatever its parameters.
    linear : LinearLight
        How it works in linear light.
    copies : bool
        Whether every pixel of the output is a pixel of the image, chosen by its place and not by its value.
    gpu : bool
        Whether `dpid_cli.downscaling.gpu` computes it as well.
    differentiable : bool
        Whether `dpid_cli.gradients` and `dpid_cli.learn` know its derivatives.
    by_channels : bool
        Whether its CPU kernels depend on the number of channels.
    settings : tuple of mappings
        Arguments of `downscale` for which to compile kernels ahead, for every type of image.
    extras : tuple of (str, int, mapping)
        The same for one type and number of channels each.

    Examples
    --------
    >>> METHODS["box"].defaults, METHODS["box"].takes_filter
    ({'window': None}, False)
    """

    name: MethodName
    summary: str
    source: str
    family: str
    takes: type[Parameters] = Parameters
    divisible: bool = True
    packed: bool = False
    neighbours: bool = False
    absolute: bool = False
    linear: LinearLight = LinearLight.WEIGHED
    copies: bool = False
    gpu: bool = False
    differentiable: bool = False
    by_channels: bool = False
    settings: Settings = ()
    extras: tuple[tuple[str, int, Mapping[str, Any]], ...] = ()

    @cached_property
    def described(self) -> Mapping[str, Parameter]:
        """The parameters it takes, by Python name, with its own defaults and bounds."""
        return self.takes.described()

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The defaults of its parameters, by Python name."""
        return {name: parameter.default for name, parameter in self.described.items()}

    @property
    def takes_filter(self) -> bool:
        """Whether its guidance can be a learned filter."""
        return "guidance" in self.described and self.described["guidance"].filters

    def needs_intensities(self, parameters: Parameters, linear: bool) -> bool:
        """Whether results depend on which value stands for intensity 1, with or without linear light."""
        decodes = linear and self.linear != LinearLight.PICKED
        return self.absolute or decodes or parameters.absolute

    def load(self) -> Any:
        """Import the module that computes it, with its kernels, and return it."""
        return import_module(f"dpid_cli.downscaling.methods.{self.family}")

    def parameters(self, arguments: Mapping[str, Any]) -> Parameters:
        """Check arguments of `downscale`, by Python name; None stands for the default.

        Raises
        ------
        ArgumentError
            If a value is not allowed, or the method has no such parameter.
        """
        checked = {}
        for name, value in arguments.items():
            if value is None:
                continue
            if name not in self.described:
                owners = ", ".join(m.name for m in METHODS.values() if name in m.described)
                raise ArgumentError(
                    f"{PARAMETERS[name].label}: method {self.name} has no such parameter: "
                    f"leave it out, or use {owners}"
                )
            checked[name] = self.described[name].check(value)
        return self.takes(**checked)


_WEBER = "Weber et al. 2016"
_SAEEDAN = "Saeedan et al. 2018"
_LEE = "Lee, Gallagher & Tu 2016"
_ADAPOOL = "Stergiou & Poppe 2022"
# Arguments for which kernels are compiled ahead: none; and for weights that are a root, a power with an alpha
# to blend in, a power that could underflow, no power, and half of the reward.
_PLAIN: Settings = ({},)
_POWERS: Settings = (
    {}, {"lambda_": 0.7, "alpha": 0.1}, {"lambda_": 8.0}, {"lambda_": 2.0}, {"variant": "asym"},
)  # fmt: skip
_LINEAR: Mapping[str, Any] = {"linear": True}
# For bytes of gray and RGB: weights that are products of roots; light that is looked up.
_ROOTS: Settings = tuple({"lambda_": lambda_} for lambda_ in (0.25, 0.5, 0.75, 1.5, 3.0, 4.0))
_LIT: Settings = tuple({**arguments, **_LINEAR} for arguments in _POWERS[:2] + _POWERS[3:4])
_DETAIL_EXTRAS = tuple(("uint8", channels, extra) for channels in (1, 3) for extra in (*_ROOTS, *_LIT))
_DPID_EXTRAS = (
    ("uint8", 1, {"guidance": "photo"}),
    *(("uint8", channels, _LINEAR) for channels in (2, 4)),
    *((dtype, channels, _LINEAR) for dtype in ("uint16", "float32") for channels in (1, 2, 3, 4)),
    *(("uint16", 1, extra) for extra in _LIT[1:]),
)
_BOX_EXTRAS = tuple(("uint8", channels, _LINEAR) for channels in (1, 3))
_EXPECTED = {"form": "expected"}


def _detail(name: MethodName, summary: str, source: str, takes: type[Parameters], **facts: Any) -> Method:
    return Method(
        name, summary, source, "detail", takes, neighbours=True, packed=True, gpu=True, differentiable=True,
        by_channels=True, settings=_POWERS, **facts,
    )  # fmt: skip


def _order(name: MethodName, summary: str, source: str) -> Method:
    picked = LinearLight.PICKED
    return Method(
        name, summary, source, "picking", WindowParameters, linear=picked, gpu=True, settings=_PLAIN
    )


def _pooling(
    name: MethodName, summary: str, source: str, takes: type[Parameters] = WindowParameters, *,
    linear: LinearLight = LinearLight.WEIGHED, settings: Settings = _PLAIN, absolute: bool = False,
) -> Method:  # fmt: skip
    extras = (("uint8", 1, _LINEAR),) if linear == LinearLight.WEIGHED else ()
    return Method(
        name, summary, source, "pooling", takes, absolute=absolute, linear=linear, settings=settings,
        extras=extras,
    )  # fmt: skip


def _pillow(
    name: MethodName, summary: str, *, linear: LinearLight = LinearLight.MEAN, copies: bool = False
) -> Method:
    return Method(name, summary, "Pillow", "resample", divisible=False, linear=linear, copies=copies)


_MEAN, _PICKED = LinearLight.MEAN, LinearLight.PICKED

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        m.name: m
        for m in (
            _detail(
                "dpid", "weights by colour distance from the smoothed mean", _WEBER, sets.DetailParameters,
                extras=_DETAIL_EXTRAS + _DPID_EXTRAS,
            ),
            _detail(
                "dpp", "weights by distance per channel; for pictures with --guidance gaussian", _SAEEDAN,
                sets.DppParameters, extras=_DETAIL_EXTRAS,
            ),
            Method(
                "s3dpp", "dpp at random rows and columns", _SAEEDAN, "spatial", sets.S3dppParameters,
                extras=tuple(("uint8", channels, _EXPECTED) for channels in (1, 2, 3, 4)),
            ),
            Method(
                "box", "mean of the window", "average pooling", "detail", WindowParameters, packed=True,
                linear=_MEAN, gpu=True, by_channels=True, settings=({}, {"window": 3}), extras=_BOX_EXTRAS,
            ),
            _order("max", "largest value of each channel", "max pooling"),
            _order("min", "smallest value of each channel", "min pooling"),
            _order("extremum", "value farthest from the mean, per channel", _SAEEDAN + ", limit"),
            Method(
                "subsample", "one pixel of each window", "striding", "picking", sets.SubsampleParameters,
                linear=_PICKED, copies=True,
            ),
            _pooling("mixed", "max and mean, in fixed shares", _LEE, sets.BlendParameters, linear=_MEAN),
            _pooling(
                "gated", "max and mean, in shares that a filter sets", _LEE, sets.GateParameters, linear=_MEAN
            ),
            _pooling(
                "lp", "power mean", "Sermanet, Chintala & LeCun 2012", sets.LpParameters, linear=_MEAN,
                settings=({}, {"power": 3.0}),
            ),
            _pooling(
                "softpool", "weights by exponentials of the values", "Stergiou, Poppe & Kalliatakis 2021",
                absolute=True,
            ),
            _pooling("edscw", "weights by likeness to the mean", _ADAPOOL),
            _pooling(
                "adapool", "edscw and softpool, in fixed shares", _ADAPOOL, sets.BlendParameters,
                absolute=True,
            ),
            _pooling("idw", "weights by inverse distance from the mean", _ADAPOOL),
            Method(
                "stochastic", "a pixel drawn by its value", "Zeiler & Fergus 2013", "picking",
                sets.StochasticParameters, settings=({}, _EXPECTED),
                extras=(("uint8", 1, {**_EXPECTED, **_LINEAR}),),
            ),
            Method(
                "s3pool", "max at random rows and columns", "Zhai et al. 2017", "spatial",
                sets.CellParameters, linear=_PICKED,
            ),
            Method(
                "spectral", "lowest frequencies", "Rippel, Snoek & Adams 2015", "spectral", divisible=False,
                linear=_MEAN,
            ),
            _pillow("nearest", "one pixel of each window", linear=_PICKED, copies=True),
            _pillow("bilinear", "triangle filter"),
            _pillow("bicubic", "cubic filter, a = -0.5"),
            _pillow("hamming", "Hamming filter, sharper than bilinear"),
            _pillow("lanczos", "Lanczos filter, a = 3"),
            Method(
                "matlab-bicubic", "cubic filter of MATLAB's imresize", "Keys 1981, MATLAB", "matlab",
                divisible=False, linear=_MEAN,
            ),
        )
    }
)  # fmt: skip


def method_named(name: object) -> Method:
    """Return the method of that name, or raise an `ArgumentError` that lists all of them."""
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    raise ArgumentError(f"method: {name!r} is not known: use one of {', '.join(METHODS)}")


def equivalent(method: Method, parameters: Parameters) -> tuple[Method, Parameters]:
    """Return the simplest method with the same result: at lambda 0 all weights are equal, which is box."""
    if method.family == "detail" and getattr(parameters, "lambda_", None) == 0:
        return METHODS["box"], WindowParameters()
    return method, parameters
