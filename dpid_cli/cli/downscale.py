"""dpid downscale: files in, smaller files out."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli.console import announce, on_terminal, say
from dpid_cli.cli.options import (
    colour_options,
    device_option,
    encoder_options,
    encoding,
    metadata_options,
    method_options,
    method_parameters,
    reading_options,
    size_options,
    size_request,
)
from dpid_cli.errors import ArgumentError, DpidError, collected
from dpid_cli.pictures.formats import WRITTEN

if TYPE_CHECKING:
    from dpid_cli.convert.job import Outcome


@click.command("downscale", no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="PATH|DIR|-",
    help="File, directory, or - for standard output.  [default: beside the input]",
)
@size_options
@method_options
@click.option(
    "--format",
    type=click.Choice(list(WRITTEN)),
    help="File format.  [default: by the output's extension, else the input's]",
)
@colour_options
@encoder_options
@metadata_options
@reading_options
@click.option("--overwrite", is_flag=True, help="Replace existing files; inputs are never replaced.")
@click.option(
    "-j", "--threads", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: all processors]"
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per image instead of its path.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Say on standard error what was done, and how long it took."
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def command(
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

    Give exactly one kind of size. INPUT may be - for standard input. Without -o the result goes beside the
    input as {stem}_{method}_x{scale}{ext}, or {stem}_{method}_{width}x{height}{ext}.

    \b
      dpid downscale photo.jpg -s 4
      dpid downscale photo.jpg --width 800 -m dpp --alpha 0.1 -o small.png
      dpid downscale *.png --longest 512 -o small/
      cat photo.png | dpid downscale - -s 2 --format webp > small.webp
    """
    size, parameters, encoder = size_request(options), method_parameters(options), encoding(options)
    to_stdout = options["output"] == "-" or (options["output"] is None and "-" in inputs)
    if to_stdout and as_json:
        raise click.UsageError("--json: the image goes to standard output already: give -o PATH")
    if to_stdout and sys.stdout is None:
        raise click.UsageError("standard output is closed: give -o PATH")
    if to_stdout and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: give -o PATH, or redirect it")

    from dpid_cli.convert.job import Job
    from dpid_cli.convert.recipe import Recipe

    placing = {name: options.pop(name) for name in ("output", "format", "overwrite")}
    recipe = Recipe(size=size, parameters=parameters, encoding=encoder, **options)
    job = Job(inputs, recipe.checked(placing["format"]), **placing)
    job.check()
    result = "nothing" if quiet or to_stdout else "json" if as_json else "path"
    notes = "nothing" if quiet else "all" if verbose else "warnings"
    with ThreadPoolExecutor(1) as pool:  # decoders hold no lock: the first image is read meanwhile
        loaded = pool.submit(_load_kernels, not quiet and on_terminal(), recipe.method, recipe.device)
        runs = (_run(partial(job.run, source, loaded.result), result, notes, debug) for source in inputs)
        failures = [error for error in runs if error]
    if failures:
        ctx.exit(2 if len(inputs) == 1 and isinstance(failures[0], ArgumentError) else 1)


def _load_kernels(told: bool, method: str, device: str) -> None:
    from dpid_cli.downscaling import devices
    from dpid_cli.downscaling.registry import METHODS
    from dpid_cli.kernels import jit

    if told:
        jit.before_compiling(announce)
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
        click.echo(json.dumps(outcome.as_dict()))
    elif result == "path":
        click.echo(os.fsencode(outcome.output))
    if notes == "all":
        (w, h), (u, v) = outcome.input_size, outcome.output_size
        many = f"{outcome.frames} frames, " if outcome.frames > 1 else ""
        say(f"{outcome.input}: {many}{w}x{h} to {u}x{v} by {outcome.method} in {outcome.seconds:.3f} s")
    return None
