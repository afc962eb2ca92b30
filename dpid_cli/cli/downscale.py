"""dpid downscale: files in, smaller files out."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli import options as shared
from dpid_cli.cli.console import announce, echo_path, say, without_linear_algebra
from dpid_cli.cli.sections import Command, option, sections
from dpid_cli.downscaling.choices import Device, IfSmaller
from dpid_cli.downscaling.parameters import shown
from dpid_cli.errors import ArgumentError, DpidError, collected
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
    shared.format_option("by the output's or input's name"),
    shared.OVERWRITE,
    *shared.RECIPE,
    "Running",
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

    placing = {name: options.pop(name) for name in ("output", "format", "overwrite", "if_smaller")}
    recipe = Recipe(size=size, parameters=parameters, encoding=encoder, **options)
    job = Job(inputs, recipe.checked(placing["format"]), **placing)
    job.check()
    result = "nothing" if quiet or to_stdout else "json" if as_json else "path"
    notes = "nothing" if quiet else "all" if verbose else "warnings"
    with ThreadPoolExecutor(1) as pool:  # decoders hold no lock: the first image is read meanwhile
        loaded = pool.submit(_load_kernels, not quiet, recipe.method, recipe.device)
        images = chain([first], repeat(None))
        calls = (
            partial(job.run, source, loaded.result, image)
            for source, image in zip(inputs, images, strict=False)
        )
        failures = [error for call in calls if (error := _run(call, result, notes, debug))]
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


def _run(run: Callable[[], Outcome], result: str, notes: str, debug: bool) -> DpidError | None:
    """Downscale one image and print what `result` and `notes` name; the error, already shown, if it fails."""
    with collected() as warnings:
        try:
            outcome = run()
        except DpidError as error:
            if debug:
                traceback.print_exc()
            say(str(error))
            return error
    for warning in warnings if notes != "nothing" else ():
        say(warning)
    if result == "json":
        from json import dumps

        click.echo(dumps(outcome.as_dict()))
    elif result == "path" and outcome.output is not None:
        echo_path(outcome.output)
    if notes != "nothing" and outcome.reason is not None:
        say(f"{outcome.input}: {outcome.reason.partition(': use ')[0]}: {outcome.status}")
    elif notes == "all" and outcome.output_size is not None:
        (w, h), (u, v) = outcome.input_size, outcome.output_size
        many = f"{outcome.frames} frames, " if outcome.frames > 1 else ""
        found = (f"{name} {shown(value)}" for name, value in outcome.found.items())
        quality = [] if outcome.quality is None else [f"quality {outcome.quality:.4g}"]
        how = ", ".join([str(outcome.method), *found, *quality])
        say(f"{outcome.input}: {many}{w}x{h} to {u}x{v} by {how} in {outcome.seconds:.3f} s")
    return None
