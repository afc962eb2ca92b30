"""dpid downscale: files in, smaller files out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli import options as shared
from dpid_cli.cli.console import (
    announce,
    echo,
    echo_path,
    on_terminal,
    printable,
    say,
    show_traceback,
    without_linear_algebra,
)
from dpid_cli.cli.progress import Existing, Progress
from dpid_cli.cli.sections import Command, option, sections
from dpid_cli.downscaling.choices import Device, IfSmaller
from dpid_cli.downscaling.parameters import shown
from dpid_cli.errors import ArgumentError, DpidError, collected
from dpid_cli.files.output import ExistsError
from dpid_cli.interrupts import awaited
from dpid_cli.pictures.prefetch import prefetched

if TYPE_CHECKING:
    from dpid_cli.convert.job import Outcome

OPTIONS = sections(
    shared.INPUTS,
    *shared.size_options(),
    "Size",
    option("--if-smaller", "Images smaller than the requested size: fail, write them in their own size, or "
           "skip them.", IfSmaller.words(), default="error"),
    *shared.method_options(),
    "Method",
    option("--importance MASK", "Let pixels count as much as this gray image of the same size is bright "
           "(dpid, dpp, box).", click.Path()),
    "Output",
    option("-o --output PATH|FOLDER|-", "Write to a file, into a folder, or to standard output (-).",
           click.Path(), shown="next to the input"),
    *shared.name_options("see above"),
    shared.format_option("by the output's or input's name"),
    shared.OVERWRITE,
    *shared.RECIPE,
    "Running",
    shared.DRY_RUN,
    shared.device_option(*Device.words()),
    shared.THREADS,
    option("--json", "Print one JSON object per image instead of its path.", name="as_json"),
    shared.QUIET,
    option("-v --verbose", "Say on standard error what was done and how long it took."),
    shared.DEBUG,
)  # fmt: skip


@click.command("downscale", cls=Command, params=OPTIONS, no_args_is_help=True)
@click.pass_context
def downscale_command(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Downscale images so that small details survive.

    Give exactly one kind of size. INPUT may be - for standard input. Without -o, the output goes next to the
    input as {stem}_{method}_x{scale}{ext}, or {stem}_{method}_{width}x{height}{ext}.

    \b
      dpid downscale photo.jpg -s 4
      dpid downscale photo.jpg --width 800 -m dpp --alpha 0.1 -o small.png
      dpid downscale *.png --longest 512 -o small/
      cat photo.png | dpid downscale - -s 2 --format webp > small.webp
    """
    size, parameters = shared.size_request(options), shared.method_parameters(options)
    encoder = shared.encoding(options)
    to_stdout = options["output"] == "-" or (options["output"] is None and "-" in inputs)
    if to_stdout and as_json:
        raise click.UsageError("--json: standard output already takes the image: give -o PATH")
    if to_stdout and sys.stdout is None:
        raise click.UsageError("standard output is closed: give -o PATH")
    if to_stdout and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: give -o PATH, or redirect it")

    without_linear_algebra()
    first = prefetched(inputs[0], options["max_pixels"]) if inputs and inputs[0] != "-" else None
    from dpid_cli.convert.job import Job
    from dpid_cli.convert.recipe import Recipe

    placing = {name: options.pop(name) for name in ("output", "format", "overwrite", "if_smaller", "dry")}
    placing["template"] = shared.name_template(options)
    recipe = Recipe(size=size, parameters=parameters, encoding=encoder, **options)
    job = Job(inputs, recipe.checked(placing["format"]), **placing)
    job.check()
    result = "nothing" if quiet or (to_stdout and not job.dry) else "json" if as_json else "path"
    notes = "nothing" if quiet else "all" if verbose else "warnings"
    with ThreadPoolExecutor(1) as pool:  # decoders hold no lock: the first image is read meanwhile
        loaded = pool.submit(_load_kernels, not quiet, recipe.method, recipe.device)
        images = chain([first], repeat(None))
        existing = Existing("use --overwrite, or choose another output")
        with Progress(len(inputs), quiet or len(inputs) == 1) as progress:
            run = _Run(progress, existing, result, notes, debug)
            failures = [
                error
                for source, image in zip(inputs, images, strict=False)
                if (error := run.failed(source, partial(job.run, source, partial(awaited, loaded), image)))
            ]
    existing.say()
    if len(inputs) > 1 and not quiet and on_terminal():  # where it takes the place of the bar
        verb = "would convert" if job.dry else "done"
        say(", ".join([*progress.summary(verb, "skipped", "failed"), progress.speed()]))
    if failures:
        ctx.exit(2 if len(inputs) == 1 and isinstance(failures[0], ArgumentError) else 1)


def _load_kernels(told: bool, method: str, device: str) -> None:
    from dpid_cli.downscaling import devices
    from dpid_cli.downscaling.registry import METHODS
    from dpid_cli.kernels import jit

    jit.report_to(announce if told else None)
    import_module("dpid_cli.downscaling.api")
    METHODS[method].load()
    if device != "cpu" and devices.gpu_trouble() is None:
        import_module("dpid_cli.downscaling.gpu.launch")


@dataclass
class _Run:
    """Downscales images one after the other, and prints what `result` and `notes` name of each."""

    progress: Progress
    existing: Existing
    result: str
    notes: str
    debug: bool

    def failed(self, source: str, call: Callable[[], Outcome]) -> DpidError | None:
        """Downscale an image; the error, already told, if that fails."""
        from dpid_cli.convert.job import Outcome

        start = time.perf_counter()
        with collected() as warnings:
            try:
                outcome = call()
            except DpidError as error:
                self._tell_error(error)
                self.progress.add("failed")
                if self.result == "json":
                    self._print(Outcome.failed(source, error, time.perf_counter() - start))
                return error
        status = "done" if outcome.status in ("copied", "planned") else outcome.status
        self.progress.add(status, outcome.input_size, copied=outcome.status == "copied")
        for warning in warnings if self.notes != "nothing" else ():
            say(warning)
        self._print(outcome)
        self._tell(outcome)
        return None

    def _tell_error(self, error: DpidError) -> None:
        if self.debug:
            show_traceback()
        if isinstance(error, ExistsError) and self.notes != "all":
            self.existing.add(str(error))
        else:
            say(str(error))

    def _print(self, outcome: Outcome) -> None:
        if self.result == "json":
            from json import dumps

            echo(dumps(outcome.as_dict()))
        elif self.result == "path" and outcome.output is not None:
            if outcome.status == "planned":
                echo(printable(f"{outcome.input}: would write {outcome.output}"))
            else:
                echo_path(outcome.output)

    def _tell(self, outcome: Outcome) -> None:
        if self.notes == "nothing":
            return
        if outcome.reason is not None:
            say(f"{outcome.input}: {outcome.reason.partition(': use ')[0]}: {outcome.status}")
        elif self.notes == "all" and outcome.output_size is not None and outcome.input_size is not None:
            (w, h), (u, v) = outcome.input_size, outcome.output_size
            many = f"{outcome.frames} frames, " if outcome.frames > 1 else ""
            found = (f"{name} {shown(value)}" for name, value in outcome.found.items())
            quality = [] if outcome.quality is None else [f"quality {outcome.quality:.4g}"]
            how = ", ".join([str(outcome.method), *found, *quality])
            say(f"{outcome.input}: {many}{w}x{h} to {u}x{v} by {how} in {outcome.seconds:.3f} s")
