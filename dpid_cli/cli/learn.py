"""dpid learn: images in, a filter out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli.console import announce, echo_path, say
from dpid_cli.cli.options import DEBUG, OVERWRITE, QUIET, THREADS, parameter_option
from dpid_cli.cli.progress import Bar
from dpid_cli.cli.sections import Command, option, scale, sections
from dpid_cli.downscaling.choices import Enlargement, FilterGrid, Objective
from dpid_cli.downscaling.registry import FILTERS, METHODS, PARAMETERS

if TYPE_CHECKING:
    from dpid_cli.downscaling.filters import Filter

_METHODS = tuple(method.name for method in METHODS.values() if method.differentiable)
_LOSS = {
    "ssim": "1 - SSIM",
    "msssim": "1 - MS-SSIM",
    "l2": "mean squared error",
    "pairs": "mean squared error",
}
_USED = "Use this value; it is not fitted."
_EITHER = "the filter's, else the method's"
# The parameters with which a fit starts: what their options do, and their defaults.
_START = {
    "guidance": (f"Start from this kernel: a file, or {', '.join(FILTERS)}.", "gaussian"),
    "lambda_": ("Start from this value, or keep it with --hold lambda.", _EITHER),
    "alpha": ("Start from this value, or keep it with --hold alpha.", "the filter's, at least 0.01"),
    "epsilon": (_USED, _EITHER),
    "variant": (_USED, _EITHER),
    "normalize": (_USED, _EITHER),
}

OPTIONS = sections(
    click.Argument(["inputs"], nargs=-1, required=True, metavar="IMAGE...", type=click.Path()),
    "Inputs",
    option("--targets DIR", "With --objective pairs: the folder of small images, named like the large."),
    option("--patch N", "Train on crops of N x N pixels.", int,
           shown="128 (msssim 192), or 24 scales"),
    option("--patches N", "Train on N crops of each image.", int, default=8),
    option("--held-out PART", "Hold out this share of the images, only to measure the filter on.", float,
           default=0.25),
    "Size",
    option("-s --scale F", "Divide width and height by F.", scale, required=True),
    "Method",
    option("-m --method", "Fit a filter for this method.", _METHODS, default="dpid"),
    option("--grid", "Put the kernel on 3x3 window means (any scale), or on pixels near each window "
           "(whole scales).", FilterGrid.words(), shown="--guidance's, else output"),
    option("--per-channel", "Fit a kernel and a bias for each channel."),
    *(parameter_option(replace(PARAMETERS[name], automatic=False), *words) for name, words in _START.items()),
    "Fit",
    option("--objective", "Bring enlarged outputs near the images by SSIM, MS-SSIM or squared error (l2), or "
           "outputs near --targets (pairs).", Objective.words(), default="ssim"),
    option("--enlargement", "How to enlarge outputs before comparing them with the images.",
           Enlargement.words(), shown="both"),
    option("--hold", "Keep this at its start.", ("kernel", "bias", "lambda", "alpha"), multiple=True),
    option("--seed N", "Seed all random choices.", int, default=0),
    option("--starts N", "Try N starts and continue with the best.", int, default=1),
    option("--iterations N", "Stop after N iterations, if not before.", int, default=200),
    "Output",
    option("-o --output FILE.json", "Write the filter to this file.", required=True),
    OVERWRITE,
    "Running",
    THREADS,
    option("--json", "Print the filter as JSON instead of its path.", name="as_json"),
    QUIET,
    option("-v --verbose", "Print a line for each iteration."),
    DEBUG,
)  # fmt: skip


@click.command("learn", cls=Command, params=OPTIONS, no_args_is_help=True)
@click.pass_context
def learn_command(
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
    """Learn a filter from images, for 'dpid downscale --guidance'.

    The fit finds a kernel, a bias, lambda and alpha. IMAGE may be a folder of images. Ctrl-C ends the fit and
    keeps the best filter so far.

    \b
      dpid learn photos/ -s 4 -o mine.json
      dpid learn hr/*.png -s 2 --objective pairs --targets lr/ -o theirs.json
      dpid learn photos/ -s 3 --lambda 1 --hold lambda -o other.json
    """
    from dpid_cli.kernels import jit
    from dpid_cli.learning.fit import Fit
    from dpid_cli.learning.job import LearnJob
    from dpid_cli.learning.plan import Plan

    parameters = {name: options.pop(name) for name in _START}
    plan = Plan(**options)
    job = LearnJob(inputs, output, plan, parameters, targets, grid, per_channel, overwrite)
    job.check()
    jit.report_to(None if quiet else announce)
    paths = job.paths()
    images = job.images(paths)
    fit = Fit(plan, job.first(paths[0]), [path.name for path in paths], images)
    interrupted = False
    try:
        with Bar(plan.iterations, not (quiet or verbose), timed=False) as bar:
            fit.run(None if quiet else _progress(bar, verbose))
    except KeyboardInterrupt:
        if fit.before is None:
            raise
        interrupted = True
    found = fit.filter()
    found.save(output, overwrite=overwrite)
    if not quiet:
        _summary(found, interrupted)
        if as_json:
            click.echo(json.dumps({"output": output} | found.as_dict()))
        else:
            echo_path(output)
    if interrupted:
        ctx.exit(130)


def _progress(bar: Bar, verbose: bool) -> Callable[[int, float], None]:
    """What to call after each iteration: it prints a line or moves the bar."""

    def told(count: int, loss: float) -> None:
        if verbose:
            say(f"iteration {count}: loss {loss:.6g}")
        else:
            bar.update(1, f"loss {loss:.6f}")

    return told


def _summary(found: Filter, interrupted: bool) -> None:
    """Print the losses before and after, and the parameters."""
    loss, on = found.loss or {}, found.fitted_on or {}
    what = _LOSS[found.objective or "ssim"]
    for part, images in (("training", on["images"]), ("held_out", on["held_out"])):
        told = "none"
        if (values := loss[part]) is not None:
            count = f"{len(images)} image{'s' if len(images) > 1 else ''}"
            told = f"{what} {values['before']:.6g} before, {values['after']:.6g} after, {count}"
        say(f"{part.replace('_', ' ')}: {told}")
    say(f"lambda {found.lambda_:.4g}, alpha {found.alpha:.4g}" + (", interrupted" if interrupted else ""))
