"""dpid compare: one image by several methods, side by side and in metrics."""

from __future__ import annotations

import json
import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli import figures
from dpid_cli.cli import options as shared
from dpid_cli.cli.console import announce, echo_path, printable, say, show_traceback
from dpid_cli.cli.sections import Command, number, option, sections
from dpid_cli.errors import ArgumentError, DpidError, collected

if TYPE_CHECKING:
    from dpid_cli.compare.runner import ComparisonRunner

_OF_FIGURES = ("title", "theme", *figures.OF_SHEETS)
_OF_EMPTY_PAGES = ("page", "theme", "overwrite", "quiet", "debug")
_OF_VOTES = ("votes", "inputs", "as_json", "quiet", "debug")


OPTIONS = sections(
    click.Argument(["inputs"], nargs=-1, metavar="INPUT...", type=click.Path()),
    *figures.with_widths(shared.size_options()),
    "Method",
    option("-m --method METHOD[:NAME=VALUE,...]", "Show this method with these parameters: see 'dpid "
           "methods'.", name="words", multiple=True, shown="dpid dpp box max; dpid with --sweep"),
    option("--sweep NAME=FIRST:LAST:STEP", "Show several values of a parameter, also given as "
           "NAME=VALUE,... Two sweeps make a grid.", name="sweeps", multiple=True),
    "Figure",
    option("--closeup X,Y,W,H", "Enlarge this part of what is compared, in pixels.", multiple=True,
           shown="where dpid differs most from box"),
    option("--closeups N", "Enlarge the N parts where dpid differs most from box.", number(0, 26),
           shown="2; 1 in grids and insets"),
    *figures.FIGURE,
    option("--theme", "Set the colours around the images.", ("light", "dark"),
           shown="light; the system's for pages"),
    *shared.COLOUR,
    *shared.VALUE_RANGE,
    "Output",
    option("-o --output PATH", "Write a sheet (.png, .jpg, .webp, .pdf, .svg, .tex) or a page for "
           "browsers (.html).", click.Path(), shown="print the metrics"),
    option("--metrics/--no-metrics", "Measure the outputs.", default=None,
           shown="for pages and plots, with --csv and without -o"),
    option("--timing/--no-timing", "Also measure times, which differ in every run.", default=True,
           shown="timing"),
    option("--csv PATH", "Write the metrics as CSV.", click.Path()),
    option("--page PATH", "Write a page in which you open an image of your own and change lambda. Takes no "
           "INPUT.", click.Path()),
    option("--votes", "Count the votes of preference tests in pages. INPUT are the CSV or JSON files that "
           "these save."),
    shared.OVERWRITE,
    *shared.INPUT_LIMITS,
    "Running",
    shared.THREADS,
    option("--json", "Print one JSON object per image instead of text.", name="as_json"),
    shared.QUIET,
    shared.DEBUG,
)  # fmt: skip


@click.command("compare", cls=Command, params=OPTIONS, no_args_is_help=True)
@click.pass_context
def compare_command(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    page: str | None,
    votes: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Compare methods on images, side by side and by metrics.

    INPUT may be a folder of images, or - for standard input. Several images need -o NAME.html: it becomes an
    index, with a page for each image in the folder NAME, which must not contain an input.

    \b
      dpid compare photo.jpg -s 4 -o figure.png
      dpid compare photo.jpg -s 4 -m box -m dpp:lambda=1,variant=asym -o a.pdf
      dpid compare photo.jpg -s 4 -o a.tex --style inset --width 252pt
      dpid compare photo.jpg -s 4 --sweep lambda=0:2:0.25 -o page.html
      dpid compare photo.jpg -s 4 -m dpp --sweep lambda=0:2:1 --sweep alpha=0,1
      dpid compare photos/ -s 4 -o report.html
      dpid compare --page dpid.html
      dpid compare --votes *.json
    """
    if votes:
        _refuse_all_but(ctx, "--votes", _OF_VOTES)
    if page is not None:
        _write_empty_page(ctx, page, options["theme"] or "auto", options["overwrite"], quiet)
        return
    if not inputs:
        raise click.MissingParameter(ctx=ctx, param=ctx.command.params[0])
    if votes:
        _count_votes(inputs, as_json, quiet)
        return
    runner = _runner(inputs, options, as_json)
    runner.check()

    from dpid_cli.kernels import jit

    jit.report_to(None if quiet else announce)
    failures = [e for source in runner.paths if (e := _run(runner, source, as_json, quiet, debug))]
    runner.finish([str(error) for error in failures])
    if not quiet and runner.is_index and len(failures) < len(runner.paths):
        say(runner.size_note(str(runner.output)))
        if not as_json:
            echo_path(str(runner.output))
    if failures:
        ctx.exit(2 if len(runner.paths) == 1 and isinstance(failures[0], ArgumentError) else 1)


def _refuse_all_but(ctx: click.Context, option_: str, used: tuple[str, ...]) -> None:
    """Raise a usage error for what an option does not use."""
    from click.core import ParameterSource

    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name not in used and ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            label = "INPUT" if name == "inputs" else max(parameter.opts, key=len)
            raise click.UsageError(f"{label} does nothing with {option_}: leave one of them out")


def _write_empty_page(ctx: click.Context, page: str, theme: str, overwrite: bool, quiet: bool) -> None:
    """Write the page without an image."""
    from dpid_cli.compare.workbench import write_page

    _refuse_all_but(ctx, "--page", _OF_EMPTY_PAGES)
    write_page(page, theme, overwrite)
    if not quiet:
        echo_path(page)


def _count_votes(inputs: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Print how often each variant won in files of votes."""
    from dpid_cli.compare import votes

    merged = votes.merged(inputs)
    if quiet:
        return
    if merged.repeated:
        say(f"--votes: {merged.repeated} votes are in several files: counted once")
    if as_json:
        click.echo(json.dumps(votes.as_json(merged)))
        return
    say(votes.summary_of(merged))
    click.echo("\n".join(map(printable, votes.lines_of(merged))))


def _refuse_unused(options: dict[str, Any], page: bool, measured: bool, as_json: bool) -> None:
    """Raise a usage error for options that would do nothing."""
    output = options["output"]
    if output is None and not measured:
        raise click.UsageError("--no-metrics leaves nothing to do: give -o PATH")
    if not (options["timing"] or measured):
        raise click.UsageError("--no-timing needs metrics: add --metrics, or leave out --no-timing")
    for name in _OF_FIGURES:
        if options[name] is None or (output is not None and not (page and name in figures.OF_SHEETS)):
            continue
        what = "a sheet" if name in figures.OF_SHEETS else "a figure"
        raise click.UsageError(f"--{name.replace('_', '-')} needs {what}: leave it out, or change -o")
    if output is None and not as_json and (options["closeup"] or options["closeups"] is not None):
        raise click.UsageError("--closeup needs a figure: give -o PATH, or leave it out")
    if options["closeup"] and options["closeups"] is not None:
        raise click.UsageError("--closeup and --closeups exclude each other: leave one out")
    figures.refuse_unused(options)


def _runner(inputs: tuple[str, ...], options: dict[str, Any], as_json: bool) -> ComparisonRunner:
    """What the options ask for."""
    from dpid_cli.compare.comparison import ComparisonSpec
    from dpid_cli.compare.documents import SUFFIXES
    from dpid_cli.compare.regions import crop_of
    from dpid_cli.compare.runner import ComparisonRunner
    from dpid_cli.compare.sheet import Style
    from dpid_cli.compare.variants import plotted, sweep_of, variants_of
    from dpid_cli.convert.recipe import Recipe

    width, page = figures.split_widths(options), (options["output"] or "").lower().endswith(SUFFIXES)
    if width is not None and (page or options["output"] is None):
        raise click.UsageError("--width with a unit needs a sheet: leave the unit out, or change -o")
    options["plot"] = options["plot"] or None
    if options["plot"] and options["metrics"] is False:
        raise click.UsageError("--no-metrics leaves nothing to plot: leave one of them out")
    metrics, asked = options.pop("metrics"), as_json or options["csv"] is not None
    if metrics is None:
        metrics = page or options["output"] is None or options["csv"] is not None or bool(options["plot"])
    _refuse_unused(options, page, metrics, as_json)
    crops, count, output, csv = (options.pop(name) for name in ("closeup", "closeups", "output", "csv"))
    overwrite, chosen = options.pop("overwrite"), {name: options.pop(name) for name in _OF_FIGURES}
    plot = chosen["plot"]
    style = Style(width=width, **{name: value for name, value in chosen.items() if value is not None})
    words, sweeps = options.pop("words"), [sweep_of(word) for word in options.pop("sweeps")]
    variants = plotted(words, sweeps) if plot else variants_of(words, sweeps)
    if count is None:  # insets and grids have space for one
        one = style.style == "inset" or (len(sweeps) == 2 and output is not None and not page)
        count = 1 if one else 2
    timed, size = options.pop("timing"), shared.size_request(options)
    spec = ComparisonSpec(
        Recipe(size=size, metadata="colour", **options),
        variants,
        tuple(crop_of(word) for word in crops),
        count,
        metrics,
        timed and not (plot and not asked),
        not plot or asked,
    )
    return ComparisonRunner(inputs, spec, style, output, csv, chosen["theme"] or "auto", overwrite)


def _run(runner: ComparisonRunner, source: str, as_json: bool, quiet: bool, debug: bool) -> DpidError | None:
    """Compare one image and print what is asked for; the error, already told, if it fails."""
    from dpid_cli.compare.runner import as_dict, failure_as_dict
    from dpid_cli.compare.table import lines_of

    with collected() as warnings:
        try:
            comparison = runner.run(source)
        except DpidError as error:
            if debug:
                show_traceback()
            say(str(error))
            if as_json and not quiet:
                click.echo(json.dumps(failure_as_dict(source, error)))
            return error
    target = runner.output_of(source)
    if quiet:
        return None
    for warning in dict.fromkeys(warnings):  # every variant may say the same
        say(warning)
    if target is not None and not runner.is_index:
        say(runner.size_note(target))
    if as_json:
        click.echo(json.dumps(as_dict(comparison, target, runner.bytes_of(target))))
        return None
    if runner.spec.measured and not runner.is_index and not runner.style.plot:
        if len(runner.paths) > 1:
            click.echo(("\n" if source != runner.paths[0] else "") + printable(source))
        on_screen = sys.stdout is not None and sys.stdout.isatty()
        click.echo("\n".join(lines_of(comparison, get_terminal_size().columns if on_screen else None)))
    if target is not None:
        echo_path(target)
    return None
