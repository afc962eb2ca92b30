"""The targets, and the verdicts that follow from the medians of the other sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .batches import BARE, PHOTOS, PHOTOS_TO_PNG, PROCESSES, SMALL
from .contestants import REFERENCE, SIZES
from .encoding import OURS, PILLOW, SIZE, TIME
from .library import PICKING
from .markdown import Facts, Section, number, table

UNKNOWN = "not measured"
Value = Callable[[Facts], float]


@dataclass(frozen=True)
class Target:
    """A limit for `reached`: at most `target`, ideally `stretch`; with `at_least`, at least.

    `reached` raises a KeyError if a median that it needs was not measured.
    """

    what: str
    reached: Value | None
    target: float
    stretch: float | None = None
    at_least: bool = False
    unit: str = ""

    def row(self, facts: Facts) -> list[str]:
        """A row of the table: goal, target, stretch, reached, met."""
        value = self.measured(facts)
        shown = UNKNOWN if value is None else self._with_unit(value)
        return [self.what, self._limit(self.target), self._limit(self.stretch), shown, self.verdict(value)]

    def measured(self, facts: Facts) -> float | None:
        """The value reached, or None."""
        try:
            return self.reached(facts) if self.reached else None
        except KeyError:
            return None

    def verdict(self, value: float | None) -> str:
        """Whether `value` is good enough."""
        if value is None:
            return UNKNOWN
        if self.stretch is not None and self._holds(value, self.stretch):
            return "yes, and the stretch"
        return "yes" if self._holds(value, self.target) else "no"

    def _holds(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit

    def _limit(self, limit: float | None) -> str:
        return "" if limit is None else f"{'≥' if self.at_least else '≤'} {self._with_unit(limit)}"

    def _with_unit(self, value: float) -> str:
        return f"{number(value)} {self.unit}".strip()


def against(what: str, name: str, reference: str) -> Value:
    """The ratio of two medians in one comparison."""
    return lambda facts: facts[what, name] / facts[what, reference]


def worst(values: list[Value]) -> Value:
    """The largest of several ratios; all must have been measured."""
    return lambda facts: max(value(facts) for value in values)


def at_all_sizes(name: str, reference: str) -> Value:
    """The largest ratio over the sizes of the photo."""
    return worst([against(size, name, reference) for size in SIZES])


def picking(facts: Facts) -> float:
    """The slowest method that picks pixels, relative to dpid."""
    return worst([against(f"poolings {size}", name, "dpid") for size in ("1/2", "1/4") for name in PICKING])(
        facts
    )


def least_lead(facts: Facts) -> float:
    """How many times faster than pepedpid, at the worst size."""
    return 1 / at_all_sizes("dpid", "pepedpid")(facts)


def frames(facts: Facts) -> float:
    """Frames per second near 1:1."""
    return 1 / facts["near 1:1", "dpid"]


def _exponents(facts: Facts) -> float:
    """The slowest exponent of the sweep, relative to lambda 1."""
    sweep = [value for (what, _), value in facts.items() if what == "exponents"]
    return max(sweep, default=0) / facts["exponents", "lambda 1"]


def _growth(facts: Facts) -> dict[int, dict[int, float]]:
    """Seconds by threads, then by megapixels."""
    found: dict[int, dict[int, float]] = {}
    for (what, name), value in facts.items():
        if what == "growth":
            megapixels, _, threads, _ = name.split()
            found.setdefault(int(threads), {})[int(megapixels)] = value
    return found


def largest_rise(facts: Facts) -> float:
    """How much more a megapixel costs than in any smaller image, at most, with all threads."""
    found = _growth(facts)
    of_all = found[max(found, default=0)]
    if not {1, 200} <= of_all.keys():
        raise KeyError("growth from 1 to 200 MP")
    costs = [seconds / size for size, seconds in sorted(of_all.items())]
    return max(after / before for i, before in enumerate(costs) for after in costs[i + 1 :])


def thread_use(facts: Facts) -> float:
    """The speed-up with all threads, divided by their number, for the largest image."""
    found = _growth(facts)
    threads, size = max(found, default=0), max(found[1])
    if threads == 1 or size != 200:
        raise KeyError("growth with threads at 200 MP")
    return found[1][size] / found[threads][size] / threads


def throughput(kind: str) -> Value:
    """Files per second in processes, relative to decoding and encoding alone."""
    return against(f"batch of {kind}", BARE, PROCESSES)


def gpu_share(facts: Facts) -> float:
    """The smallest share of a copy's bandwidth that dpid reaches on a GPU, in %."""
    return min(facts["GPU share", f"dpid {size}"] for size in ("1/4", "1/16"))


def _memory(megapixels: int, facts: Facts) -> Target:
    """A target whose limits depend on the size of the decoded image."""
    what, key = f"peak memory of the whole command, {megapixels} MP", f"{megapixels} MP"
    decoded = facts.get((key, "decoded MB"), megapixels * 3)
    return Target(what, lambda f: f[key, "peak MB"], 2.2 * decoded + 150, 1.2 * decoded + 120, unit="MB")


def all_targets(facts: Facts) -> list[Target]:
    """All targets, in the order of the table."""
    powers = [at_all_sizes(f"dpid, lambda {value}", "dpid") for value in (0.7, 2.3)]
    small = "whole command, warm, 512x512, to importing numba and calling one cached kernel"
    return [
        Target(f"dpid at 1/4, to {REFERENCE}", against("1/4", "dpid", REFERENCE), 2.0, 1.0),
        Target(f"dpid 6000 to 1280, to {REFERENCE}", against("1280x853", "dpid", REFERENCE), 1.5, 1.0),
        Target(f"dpid at 1/16, to {REFERENCE}", against("1/16", "dpid", REFERENCE), 0.8, 0.5),
        Target(f"dpid at 1/2, to {REFERENCE}", against("1/2", "dpid", REFERENCE), 12, 5),
        Target("lambda 0.7 and 2.3, to lambda 1, worst size", worst(powers), 1.5, 1.15),
        Target("all exponents above, to lambda 1", _exponents, 1.5, 1.15),
        Target("dpp (sym, alpha 0.1), to dpid, worst size", at_all_sizes("dpp, alpha 0.1", "dpid"), 1.5, 1.1),
        Target("order statistics and random methods, to dpid, worst of 1/2 and 1/4", picking, 5),
        Target("times faster than pepedpid, worst size", least_lead, 40, 100, at_least=True),
        Target("dpid near 1:1", frames, 15, 40, at_least=True, unit="frames/s"),
        Target(
            "whole command, warm, 24-MP JPEG to PNG, to a Pillow script",
            against("24 MP JPEG", "dpid", "Pillow script"),
            1.8,
            1.2,
        ),
        Target(small, against("start", "dpid, 512x512", "numba and one cached kernel"), 1.3, 1.0),
        *(_memory(megapixels, facts) for megapixels in (4, 24, 96)),
        Target("PNG, times faster than Pillow, all kinds", against(TIME, PILLOW, OURS), 4, 6, at_least=True),
        Target("PNG, bytes to Pillow's, all kinds", against(SIZE, OURS, PILLOW), 1.0),
        *(
            Target(f"batch of {kind}, to decoding and encoding alone", throughput(kind), 0.8, 0.95, True)
            for kind in (PHOTOS_TO_PNG, PHOTOS, SMALL)
        ),
        Target("cost of a megapixel, largest rise from 1 to 200 MP", largest_rise, 1.25),
        Target("speed-up with all threads, per thread, largest image", thread_use, 0.8, at_least=True),
        Target("CUDA, share of copy bandwidth at 1/4 and above", gpu_share, 60, 85, at_least=True, unit="%"),
    ]


def targets(facts: Facts) -> Section:
    """The last section."""
    text = (
        "The verdicts follow from the medians above. Values without a unit are ratios of times. Growth "
        "counts as linear if a megapixel costs at most a quarter more than in any smaller image, and if "
        "every thread adds at least 80 % of what a single thread does. The memory limit is 2.2 times the "
        "decoded image plus 150 MB; the stretch is 1.2 times plus 120 MB."
    )
    rows = [target.row(facts) for target in all_targets(facts)]
    body = f"{text}\n\n{table(['goal', 'target', 'stretch', 'reached', 'met'], rows)}"
    return Section("Targets", body)
