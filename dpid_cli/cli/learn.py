"""dpid learn: images in, a filter out."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli.console import announce, on_terminal, say, show
from dpid_cli.cli.options import parameter_type
from dpid_cli.downscaling.choices import FilterGrid, Objective
from dpid_cli.downscaling.registry import FILTERS, METHODS, PARAMETERS

if TYPE_CHECKING:
    from dpid_cli.downscaling.filters import Filter

_METHODS = [method.name for method in METHODS.values() if method.differentiable]
_LOSS = {"ssim": "1 - SSIM", "l2": "mean squared error", "pairs": "mean squared error"}
_START = {
    "guidance": f"Where the kernel starts: FILTER is a file, or {', '.join(FILTERS)}.  [default: gaussian]",
    "lambda_": "Where lambda starts, or what it is if held.  [default: the filter's, the method's]",
    "alpha": "Where alpha starts, or what it is if held.  [default: the filter's, at least 0.01]",
    "epsilon": "As for 'dpid downscale'; not fitted.  [default: the filter's, the method's]",
    "variant": "As for 'dpid downscale'; not fitted.  [default: the filter's, the method's]",
    "normalize": "As for 'dpid downscale'; not fitted.  [default: the filter's, the method's]",
}


def _start_options(function: Any) -> Any:
    """The parameters from which a fit starts."""
    for name, told in reversed(_START.items()):
        parameter = PARAMETERS[name]
        metavar = "|".join([*parameter.choices, "FILTER"]) if parameter.filters else None
        option = click.option(
            f"--{parameter.label}", name, type=parameter_type(parameter), metavar=metavar, help=told
        )
        function = option(function)
    return function


@click.command("learn", no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="IMAGE...", type=click.Path())
@click.option("-o", "--output", required=True, metavar="FILE.json", help="The filter's file.")
@click.option("-s", "--scale", type=float, required=True, metavar="F", help="F times smaller on each side.")
@click.option(
    "--objective",
    type=click.Choice(Objective.words()),
    default="ssim",
    show_default=True,
    help="Keep most of the image (1 - SSIM, or squared error, after bilinear enlargement), or make what "
    "--targets shows.",
)
@click.option("--targets", metavar="DIR", help="For pairs: the small images, named like the large ones.")
@click.option("-m", "--method", type=click.Choice(_METHODS), default="dpid", show_default=True)
@click.option(
    "--grid",
    type=click.Choice(FilterGrid.words()),
    help="Where the kernel lies: 3x3 window means (any scale), or pixels near each window (whole scales).  "
    "[default: the one of --guidance, else output]",
)
@click.option("--per-channel", is_flag=True, help="A kernel and a bias for each channel.")
@_start_options
@click.option(
    "--hold",
    type=click.Choice(["kernel", "bias", "lambda", "alpha"]),
    multiple=True,
    help="Leave it at its start; may be given again for others.",
)
@click.option("--crop", type=int, metavar="N", help="Side of the crops.  [default: 128, or 24 scales]")
@click.option("--crops", type=int, default=8, show_default=True, metavar="N", help="Crops of each image.")
@click.option(
    "--held-out",
    type=float,
    default=0.25,
    show_default=True,
    metavar="PART",
    help="Share of the images that is only measured, not learned from.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of all random choices.")
@click.option(
    "--starts", type=int, default=1, show_default=True, metavar="N", help="Try N starts, go on with the best."
)
@click.option(
    "--iterations", type=int, default=200, show_default=True, metavar="N", help="At most; it ends by itself."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option(
    "-j", "--threads", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: all processors]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the filter as JSON instead of its path.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="One line for each iteration.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    output: str,
    targets: str | None,
    grid: str | None,
    per_channel: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Fit a filter, lambda and alpha to images, for 'dpid downscale --guidance FILE.json'.

    IMAGE may be a directory, whose images are taken. Ctrl-C ends the fit and keeps the best so far.

    \b
      dpid learn photos/ -s 4 -o mine.json
      dpid learn large/*.png -s 2 --objective pairs --targets small/ -o theirs.json
      dpid learn photos/ -s 3 --lambda 1 --hold lambda --guidance mine.json -o other.json
    """
    from dpid_cli.kernels.jit import before_compiling
    from dpid_cli.learning.fit import Fit
    from dpid_cli.learning.job import LearnJob
    from dpid_cli.learning.plan import Plan

    parameters = {name: options.pop(name) for name in _START}
    plan = Plan(**options)
    job = LearnJob(inputs, output, plan, parameters, targets, grid, per_channel, overwrite)
    job.check()
    if not quiet and on_terminal():
        before_compiling(announce)
    paths = job.paths()
    images = job.images(paths)
    fit = Fit(plan, job.first(paths[0]), [path.name for path in paths], images)
    interrupted = False
    try:
        fit.run(None if quiet else _progress(verbose))
    except KeyboardInterrupt:
        if fit.before is None:
            raise
        interrupted = True
    found = fit.filter()
    found.save(output, overwrite=overwrite)
    if not quiet:
        _summary(found, interrupted)
        click.echo(json.dumps({"output": output} | found.as_dict()) if as_json else os.fsencode(output))
    if interrupted:
        ctx.exit(130)


def _progress(verbose: bool) -> Any:
    """What tells of each iteration: lines, one line that changes on a terminal, or nothing."""
    if verbose:
        return lambda count, loss: say(f"iteration {count}: loss {loss:.6g}")
    if on_terminal():
        return lambda count, loss: show(f"\riteration {count}: loss {loss:.6f} ")
    return None


def _summary(found: Filter, interrupted: bool) -> None:
    """The losses before and after, and the parameters."""
    if on_terminal():
        show("\r\x1b[K")
    loss, on = found.loss or {}, found.fitted_on or {}
    what = _LOSS[found.objective or "ssim"]
    for part, images in (("training", on["images"]), ("held_out", on["held_out"])):
        told = "none"
        if (values := loss[part]) is not None:
            count = f"{len(images)} image{'s' if len(images) > 1 else ''}"
            told = f"{what} {values['before']:.6g} before, {values['after']:.6g} after, {count}"
        say(f"{part.replace('_', ' ')}: {told}")
    say(f"lambda {found.lambda_:.4g}, alpha {found.alpha:.4g}" + (", interrupted" if interrupted else ""))
