"""The variants to compare: methods with parameters, parsed from the command line, with their labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import product
from pathlib import PurePath
from typing import Any

from dpid_cli.downscaling.choices import Automatic
from dpid_cli.downscaling.parameters import Parameter, shown
from dpid_cli.downscaling.registry import PARAMETERS, method_named
from dpid_cli.errors import ArgumentError

BOX = "box"  # what all variants are compared with
DEFAULT = ("dpid", "dpp", "box", "max")
MOST = 64

_BY_LABEL = {parameter.label: parameter for parameter in PARAMETERS.values()}
_SYMBOLS = {"lambda": "λ", "alpha": "α", "epsilon": "ε", "beta": "β"}


@dataclass(frozen=True)
class Variant:
    """A method with parameters; those that are not given have the method's defaults."""

    method: str
    given: Mapping[str, Any] = field(default_factory=dict)  # by Python name
    swept: Mapping[str, Any] = field(default_factory=dict)  # those of `given` that come from a sweep
    family: int = 0  # index of the -m option; the variants of a sweep share it
    found: Mapping[str, Any] = field(default_factory=dict)  # what "auto" stood for in an image

    @property
    def word(self) -> str:
        """The argument of ``-m``: ``dpid:lambda=0.5``."""
        settings = ",".join(f"{PARAMETERS[name].label}={shown(value)}" for name, value in self.given.items())
        return f"{self.method}:{settings}" if settings else self.method

    @property
    def detail(self) -> str:
        """The parameters for a label: those that were set, and always lambda."""
        return ", ".join(named(name, value, name in self.found) for name, value in self._told().items())

    def _told(self) -> dict[str, Any]:
        defaults = method_named(self.method).defaults
        chosen = {"lambda_": defaults["lambda_"]} if "lambda_" in defaults else {}
        return {**chosen, **self.given, **self.found}

    @property
    def label(self) -> str:
        """Method and parameters for a label in one line."""
        return f"{self.method}, {self.detail}" if self.detail else self.method

    @property
    def common(self) -> str:
        """The label of all variants of a sweep: method and parameters without those that are swept."""
        told = {name: value for name, value in self._told().items() if name not in self.swept}
        return ", ".join([self.method, *(named(name, value) for name, value in told.items())])


@dataclass(frozen=True)
class Sweep:
    """A parameter, by Python name, and the values that it takes."""

    name: str
    values: tuple[Any, ...]

    def applies_to(self, variant: Variant) -> bool:
        """Whether the method has the parameter, and the variant does not set it."""
        return self.name in method_named(variant.method).defaults and self.name not in variant.given


def named(name: str, value: Any, is_found: bool = False) -> str:
    """A parameter, by Python name, and its value for a label; `is_found` marks what "auto" stood for.

    Numbers have three decimals, or three digits if they are smaller, and files their names without folders.

    >>> named("lambda_", 0.123456), named("lambda_", 2.0), named("epsilon", 0.000012345)
    ('λ = 0.123', 'λ = 2', 'ε = 1.23e-05')
    """
    return f"{symbol(name)} = {_brief(name, value)}{' (auto)' if is_found else ''}"


def _brief(name: str, value: Any) -> str:
    if isinstance(value, tuple | list):
        return "/".join(_brief(name, part) for part in value)
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if value == 0 or value >= 0.001 else f"{value:.3g}"
    return PurePath(value).name if PARAMETERS[name].filters and isinstance(value, str) else shown(value)


def symbol(name: str) -> str:
    """The symbol of a parameter, as papers write it, or its name."""
    label = PARAMETERS[name].label
    return _SYMBOLS.get(label, label)


def variant_of(word: str) -> Variant:
    """Parse ``METHOD`` or ``METHOD:NAME=VALUE,...``; raise an `ArgumentError` if it is malformed."""
    name, colon, rest = word.partition(":")
    try:
        method = method_named(name := name.lower())
        given = dict(_assignment(part) for part in rest.split(",")) if colon else {}
        # A filter's file is read later; only its name is checked here.
        is_unknown = given.keys() - method.defaults.keys()
        method.parameters({k: v for k, v in given.items() if k in is_unknown or not PARAMETERS[k].filters})
    except ArgumentError as error:
        raise ArgumentError(f"--method {word}: {error}") from None
    return Variant(name, given)


def _assignment(text: str) -> tuple[str, Any]:
    label, equals, value = text.partition("=")
    if not equals:
        raise ArgumentError(f"{text!r} sets no parameter: write NAME=VALUE, separated by commas")
    parameter = _parameter(label.strip())
    return parameter.name, parameter.read(value.strip())


def _parameter(label: str) -> Parameter:
    if label not in _BY_LABEL:
        raise ArgumentError(f"unknown parameter {label!r}: use one of {', '.join(_BY_LABEL)}")
    return _BY_LABEL[label]


def sweep_of(word: str) -> Sweep:
    """Parse ``NAME=FIRST:LAST:STEP`` or ``NAME=VALUE,VALUE,...``; raise an `ArgumentError` otherwise."""
    label, equals, text = word.partition("=")
    try:
        if not equals:
            raise ArgumentError("no values: write NAME=FIRST:LAST:STEP or NAME=VALUE,VALUE")
        parameter = _parameter(label.strip())
        match = re.fullmatch(r"\s*([^:]+):([^:]+):([^:]+)\s*", text)
        parts = _steps(*match.groups()) if match else [part.strip() for part in text.split(",")]
        values = tuple(dict.fromkeys(parameter.read(part) for part in parts))
    except ArgumentError as error:
        raise ArgumentError(f"--sweep {word}: {error}") from None
    return Sweep(parameter.name, values)


def _steps(*words: str) -> list[str]:
    """First to last value, in decimal arithmetic, so that 0:0.3:0.1 ends at 0.3."""
    try:
        first, last, step = (Decimal(word.strip()) for word in words)
    except InvalidOperation:
        raise ArgumentError(f"{':'.join(words)!r}: must be three numbers, FIRST:LAST:STEP") from None
    if not (first.is_finite() and last.is_finite() and step.is_finite()) or step <= 0 or last < first:
        raise ArgumentError("no values: give FIRST:LAST:STEP with FIRST <= LAST and STEP > 0")
    if (last - first) / step >= MOST:
        raise ArgumentError(f"more than {MOST} values: give a larger step")
    return [str(first + i * step) for i in range(int((last - first) / step) + 1)]


def variants_of(words: Sequence[str], sweeps: Sequence[Sweep]) -> tuple[Variant, ...]:
    """All variants, each once, in the order of the words, which are replaced by the points of their sweeps.

    A sweep applies to every method that has its parameter, unless the word sets it. Two sweeps make a grid.
    Raise an `ArgumentError` if a sweep applies to no method, or there are more variants than `MOST`.
    """
    if len(sweeps) > 2 or len({sweep.name for sweep in sweeps}) < len(sweeps):
        raise ArgumentError("--sweep: too many: give at most two, of different parameters")
    chosen = [variant_of(word) for word in words or (("dpid",) if sweeps else DEFAULT)]
    for sweep in sweeps:
        if not any(sweep.applies_to(variant) for variant in chosen):
            raise ArgumentError(
                f"--sweep {PARAMETERS[sweep.name].label}: applies to no method: add -m METHOD that has "
                "this parameter and does not set it"
            )
    unique: dict[str, Variant] = {}
    for family, variant in enumerate(chosen):
        for point in _swept(variant, [sweep for sweep in sweeps if sweep.applies_to(variant)], family):
            if point.word not in unique or point.swept:  # keep the sweep complete
                unique[point.word] = point
    if len(unique) > MOST:
        raise ArgumentError(f"--method: {len(unique)} variants are more than {MOST}: give fewer")
    return tuple(unique.values())


def summary_of(variants: Iterable[Variant]) -> str:
    """The labels of variants for a caption; those of a sweep share one, with the first and last value."""
    families: dict[object, list[Variant]] = {}
    for variant in variants:
        families.setdefault(variant.family if variant.swept else variant.word, []).append(variant)
    return "; ".join(_family(family) for family in families.values())


def _family(variants: Sequence[Variant]) -> str:
    first = variants[0]
    if len(variants) == 1:
        return first.label
    values = {name: list(dict.fromkeys(v.swept[name] for v in variants)) for name in first.swept}
    ranges = [f"{named(name, each[0])} to {_brief(name, each[-1])}" for name, each in values.items()]
    return ", ".join([first.common, *ranges])


def plotted(words: Sequence[str], sweeps: Sequence[Sweep]) -> tuple[Variant, ...]:
    """The variants of a plot: those of `variants_of`, and where lambda is swept the automatic one.

    By default, a plot shows dpid along lambda, and box.
    """
    usual = [] if sweeps else [sweep_of("lambda=0:2:0.25")]
    if usual and not any(usual[0].applies_to(variant_of(word)) for word in words or ("dpid",)):
        usual = []
    made = variants_of(words or ("dpid", "box"), [*sweeps, *usual])
    automatic = {}
    for variant in made:
        if "lambda_" in variant.swept:
            given = {**variant.given, "lambda_": str(Automatic.AUTO)}
            point = Variant(variant.method, given, {}, variant.family)
            automatic[point.word] = point
    return tuple({variant.word: variant for variant in (*made, *automatic.values())}.values())


def _swept(variant: Variant, sweeps: Sequence[Sweep], family: int) -> Iterator[Variant]:
    """The variants of a sweep or a grid; without sweeps, the variant alone."""
    for values in product(*(sweep.values for sweep in sweeps)):
        point = {sweep.name: value for sweep, value in zip(sweeps, values, strict=True)}
        yield Variant(variant.method, {**variant.given, **point}, point, family)
