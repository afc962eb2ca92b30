"""What is compared: methods with their parameters, as words of the command line, sweeps and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

from dpid_cli.downscaling.registry import PARAMETERS, Method, Parameter, method_named
from dpid_cli.errors import ArgumentError

DEFAULT = ("dpid", "dpp", "box", "max")
MOST = 64

_BY_LABEL = {parameter.label: parameter for parameter in PARAMETERS.values()}
_SYMBOLS = {"lambda": "λ", "alpha": "α", "epsilon": "ε", "beta": "β"}


@dataclass(frozen=True)
class Variant:
    """A method and the parameters it is given.

    Attributes
    ----------
    method : str
    given : mapping
        By Python name; the method's defaults stand for the others.
    swept : mapping
        Those of `given` that come from a sweep.
    family : int
        Which of the words of the command line it comes from; the variants of a sweep share one.
    """

    method: str
    given: Mapping[str, Any] = field(default_factory=dict)
    swept: Mapping[str, Any] = field(default_factory=dict)
    family: int = 0

    @property
    def word(self) -> str:
        """As the command line has it: ``dpid:lambda=0.5``."""
        told = [f"{PARAMETERS[name].label}={shown(value)}" for name, value in self.given.items()]
        return ":".join([self.method, *([",".join(told)] if told else [])])

    @property
    def detail(self) -> str:
        """The parameters that matter, as figures have them; lambda always, where there is one."""
        method = method_named(self.method)
        chosen = {"lambda_": method.defaults["lambda_"]} if "lambda_" in method.defaults else {}
        return ", ".join(
            f"{symbol(name)} = {shown(value)}" for name, value in {**chosen, **self.given}.items()
        )

    @property
    def label(self) -> str:
        """Method and parameters in one line."""
        return f"{self.method}, {self.detail}" if self.detail else self.method


@dataclass(frozen=True)
class Sweep:
    """A parameter and the values it runs through."""

    name: str
    values: tuple[Any, ...]

    @property
    def word(self) -> str:
        """The parameter as the command line calls it."""
        return PARAMETERS[self.name].label


def symbol(name: str) -> str:
    """A parameter as papers write it."""
    label = PARAMETERS[name].label
    return _SYMBOLS.get(label, label)


def shown(value: Any) -> str:
    """A parameter's value as people write it, with all its digits."""
    return str(value).removesuffix(".0")


def variant_of(word: str) -> Variant:
    """``METHOD`` or ``METHOD:NAME=VALUE,NAME=VALUE`` as a variant, or an `ArgumentError`."""
    name, colon, rest = word.partition(":")
    try:
        method = method_named(name)
        given = dict(_assignment(part) for part in rest.split(",")) if colon else {}
        method.parameters({name: value for name, value in given.items() if not PARAMETERS[name].filters})
        _check_names(method, given)
    except ArgumentError as error:
        raise ArgumentError(f"--method {word}: {error}") from None
    return Variant(name, given)


def _check_names(method: Method, given: Mapping[str, Any]) -> None:
    for name in given.keys() - method.defaults.keys():
        method.parameters({name: given[name]})  # raises what says where the parameter belongs


def _assignment(text: str) -> tuple[str, Any]:
    label, equals, value = text.partition("=")
    if not equals:
        raise ArgumentError(f"{text!r} sets no parameter: write NAME=VALUE, and commas between them")
    parameter = _parameter(label.strip())
    return parameter.name, _value(parameter, value.strip())


def _parameter(label: str) -> Parameter:
    if label not in _BY_LABEL:
        raise ArgumentError(f"{label!r} is no parameter: give one of {', '.join(_BY_LABEL)}")
    return _BY_LABEL[label]


def _value(parameter: Parameter, text: str) -> Any:
    """A word of the command line in the type of the parameter."""
    if parameter.choices or parameter.filters:
        return text
    try:
        return int(text) if parameter.whole else float(text)
    except ValueError:
        sort = "a whole number" if parameter.whole else "a number"
        raise ArgumentError(f"{parameter.label}: {text!r} is not {sort}: give one") from None


def sweep_of(word: str) -> Sweep:
    """``NAME=FIRST:LAST:STEP`` or ``NAME=VALUE,VALUE,...`` as a sweep, or an `ArgumentError`."""
    label, equals, text = word.partition("=")
    try:
        if not equals:
            raise ArgumentError("it names no values: write NAME=FIRST:LAST:STEP or NAME=VALUE,VALUE")
        parameter = _parameter(label.strip())
        found = re.fullmatch(r"\s*([^:]+):([^:]+):([^:]+)\s*", text)
        parts = _steps(*found.groups()) if found else [part.strip() for part in text.split(",")]
        values = tuple(dict.fromkeys(_value(parameter, part) for part in parts))
    except ArgumentError as error:
        raise ArgumentError(f"--sweep {word}: {error}") from None
    return Sweep(parameter.name, values)


def _steps(*words: str) -> list[str]:
    """First to last value in decimal steps, so that 0:0.3:0.1 ends at 0.3."""
    try:
        first, last, step = (Decimal(word.strip()) for word in words)
    except InvalidOperation:
        raise ArgumentError(f"{':'.join(words)!r} is not FIRST:LAST:STEP: give three numbers") from None
    if not (first.is_finite() and last.is_finite() and step.is_finite()) or step <= 0 or last < first:
        raise ArgumentError("it has no values: give FIRST:LAST:STEP with FIRST <= LAST and STEP above 0")
    if (last - first) / step >= MOST:
        raise ArgumentError(f"it has more than {MOST} values: give a larger step")
    return [str(first + i * step) for i in range(int((last - first) / step) + 1)]


def variants_of(words: Sequence[str], sweeps: Sequence[Sweep]) -> tuple[Variant, ...]:
    """All variants, each once, in the order of the words; sweeps take the place of what they go through.

    A sweep applies to every method that has its parameter and is not given it. Two make a grid.

    Raises
    ------
    ArgumentError
        If a sweep applies to no method, or there are more variants than `MOST`.
    """
    if len(sweeps) > 2 or len({sweep.name for sweep in sweeps}) < len(sweeps):
        raise ArgumentError("--sweep: give at most two, of different parameters")
    chosen = [variant_of(word) for word in words or (("dpid",) if sweeps else DEFAULT)]
    unused = {sweep.name: sweep for sweep in sweeps}
    every: list[Variant] = []
    for family, variant in enumerate(chosen):
        own = [sweep for sweep in sweeps if _applies(sweep, variant)]
        for sweep in own:
            unused.pop(sweep.name, None)
        every += _swept(variant, own, family)
    for sweep in unused.values():
        raise ArgumentError(
            f"--sweep {sweep.word}: no method has it open: give -m METHOD with this parameter unset"
        )
    found: dict[str, Variant] = {}
    for variant in every:
        if variant.word not in found or variant.swept:  # a sweep has no holes
            found[variant.word] = variant
    if len(found) > MOST:
        raise ArgumentError(f"--method: {len(found)} variants are more than {MOST}: give fewer")
    return tuple(found.values())


def _applies(sweep: Sweep, variant: Variant) -> bool:
    return sweep.name in method_named(variant.method).defaults and sweep.name not in variant.given


def _swept(variant: Variant, sweeps: Sequence[Sweep], family: int) -> list[Variant]:
    names = [sweep.name for sweep in sweeps]
    points = [dict(zip(names, values, strict=True)) for values in product(*(s.values for s in sweeps))]
    return [Variant(variant.method, {**variant.given, **point}, point, family) for point in points]
