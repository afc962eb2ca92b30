"""dpid compare: one picture by many methods, to look at and in numbers."""

from __future__ import annotations

import json
import os
import traceback
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli.console import announce, on_terminal, say
from dpid_cli.cli.options import colour_options, reading_options, size_options, size_request
from dpid_cli.errors import ArgumentError, DpidError, collected

if TYPE_CHECKING:
    from dpid_cli.compare.runner import ComparisonRunner

_OF_SHEETS = ("columns", "zoom", "font_size")
_OF_FIGURES = ("title", "theme", *_OF_SHEETS)


@click.command("compare", no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="PATH",
    help="A sheet (.png .jpg .pdf .svg), or a page to play with (.html).  [default: print the numbers]",
)
@size_options
@click.option(
    "-m",
    "--method",
    "words",
    multiple=True,
    metavar="METHOD[:NAME=VALUE,...]",
    help="A method, with parameters by the names of their options; give one for each variant.  "
    "[default: dpid dpp box max, with --sweep: dpid]",
)
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="NAME=FIRST:LAST:STEP",
    help="Values of a parameter, for every method that has it open, or NAME=VALUE,VALUE,...; "
    "twice for a grid.",
)
@click.option(
    "--crop",
    multiple=True,
    metavar="X,Y,W,H",
    help="A place to enlarge, in pixels of the input; may be given again.  [default: found]",
)
@click.option(
    "--crops",
    type=click.IntRange(0, 26),
    metavar="N",
    help="How many places to find, where the methods differ most.  [default: 2]",
)
@click.option("--columns", type=click.IntRange(min=1), metavar="N", help="Panels side by side on a sheet.")
@click.option(
    "--zoom",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Each pixel of a place N by N on a sheet; of whole results with --crops 0.",
)
@click.option("--title", help="Above a sheet, or of a page.")
@click.option(
    "--font-size",
    type=click.IntRange(6, 96),
    metavar="N",
    help="Of a sheet, in pixels; a pixel is half a point in a PDF.  [default: 16]",
)
@click.option(
    "--theme",
    type=click.Choice(["light", "dark"]),
    help="Colours around the pictures.  [default: light; of pages the system's]",
)
@click.option(
    "--metrics/--no-metrics",
    default=None,
    help="Whether to measure the results.  [default: for pages, --csv, and where no figure is drawn]",
)
@click.option(
    "--timing/--no-timing",
    default=True,
    help="Whether numbers include times, which differ in every run.  [default: timing]",
)
@click.option("--csv", type=click.Path(), metavar="PATH", help="Write the numbers as CSV.")
@colour_options
@reading_options
@click.option("--overwrite", is_flag=True, help="Replace existing files; inputs are never replaced.")
@click.option(
    "-j", "--threads", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: all processors]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per image instead of text.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Show images by several methods side by side, enlarged by whole pixels, and measure them.

    INPUT may be a directory, whose images are taken, or - for standard input. Many images need -o NAME.html:
    an index, and a page for each image in the directory NAME, which may hold no input.

    \b
      dpid compare photo.jpg -s 4 -o figure.png
      dpid compare photo.jpg -s 4 -m box -m dpp:lambda=1,variant=asym --crop 40,80,64,64 -o figure.pdf
      dpid compare photo.jpg -s 4 --sweep lambda=0:2:0.25 -o page.html
      dpid compare photo.jpg -s 4 -m dpp --sweep lambda=0:2:0.5 --sweep alpha=0,0.1,1 -o grid.svg
      dpid compare photos/ -s 4 -o report.html
    """
    runner = _runner(inputs, options, as_json)
    runner.check()

    from dpid_cli.kernels.jit import before_compiling

    if not quiet and on_terminal():
        before_compiling(announce)
    failures = [e for source in runner.paths if (e := _run(runner, source, as_json, quiet, debug))]
    runner.finish([str(error) for error in failures])
    if not quiet and not as_json and runner.is_index and len(failures) < len(runner.paths):
        click.echo(os.fsencode(str(runner.output)))
    if failures:
        ctx.exit(2 if len(runner.paths) == 1 and isinstance(failures[0], ArgumentError) else 1)


def _refuse_unused(options: dict[str, Any], page: bool, measured: bool, as_json: bool) -> None:
    """Raise a usage error for what is given and would do nothing."""
    output = options["output"]
    if output is None and not measured:
        raise click.UsageError("--no-metrics: there is nothing to do: give -o PATH")
    if not (options["timing"] or measured):
        raise click.UsageError("--no-timing: nothing is measured: give --metrics, or leave it out")
    for name in _OF_FIGURES:
        if options[name] is None or (output is not None and not (page and name in _OF_SHEETS)):
            continue
        where = "a sheet, not with a page" if name in _OF_SHEETS and page else "a figure"
        raise click.UsageError(
            f"--{name.replace('_', '-')}: it goes with {where}: leave it out, or change -o"
        )
    if output is None and not as_json and (options["crop"] or options["crops"] is not None):
        raise click.UsageError("--crop: no figure shows it: give -o PATH, or leave it out")
    if options["crop"] and options["crops"] is not None:
        raise click.UsageError("--crops: it finds places, where --crop gives them: leave one out")


def _runner(inputs: tuple[str, ...], options: dict[str, Any], as_json: bool) -> ComparisonRunner:
    """What the options ask for."""
    from dpid_cli.compare.comparison import ComparisonSpec
    from dpid_cli.compare.regions import crop_of
    from dpid_cli.compare.runner import PAGES, ComparisonRunner
    from dpid_cli.compare.sheet import Style
    from dpid_cli.compare.variants import sweep_of, variants_of
    from dpid_cli.convert.recipe import Recipe

    page = (options["output"] or "").lower().endswith(PAGES)
    metrics = options.pop("metrics")
    if metrics is None:
        metrics = page or options["output"] is None or options["csv"] is not None
    _refuse_unused(options, page, metrics, as_json)
    crops, count, output, csv = (options.pop(name) for name in ("crop", "crops", "output", "csv"))
    overwrite, chosen = options.pop("overwrite"), {name: options.pop(name) for name in _OF_FIGURES}
    style = Style(**{name: value for name, value in chosen.items() if value is not None})
    variants = variants_of(options.pop("words"), [sweep_of(word) for word in options.pop("sweeps")])
    timed, size = options.pop("timing"), size_request(options)
    spec = ComparisonSpec(
        Recipe(size=size, **options),
        variants,
        tuple(crop_of(word) for word in crops),
        2 if count is None else count,
        metrics,
        timed,
    )
    return ComparisonRunner(inputs, spec, style, output, csv, chosen["theme"] or "auto", overwrite)


def _run(runner: ComparisonRunner, source: str, as_json: bool, quiet: bool, debug: bool) -> DpidError | None:
    """Compare one image and print what is asked for; the error, already told, if it fails."""
    from dpid_cli.compare.runner import as_dict
    from dpid_cli.compare.table import lines_of

    with collected() as warnings:
        try:
            comparison = runner.run(source)
        except DpidError as error:
            if debug:
                traceback.print_exc()
            say(str(error))
            return error
    target = runner.output_of(source)
    if quiet:
        return None
    for warning in dict.fromkeys(warnings):  # every variant may say the same
        say(warning)
    if as_json:
        click.echo(json.dumps(as_dict(comparison, target)))
        return None
    if runner.spec.measured and not runner.is_index:
        click.echo("\n".join(lines_of(comparison)))
    if target is not None:
        click.echo(os.fsencode(target))
    return None
