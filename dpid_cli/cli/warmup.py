"""dpid warmup: compile the kernels before they are needed."""

from __future__ import annotations

import click

from dpid_cli.cli.console import on_terminal, say
from dpid_cli.downscaling.choices import Device


@click.command("warmup")
@click.option(
    "--device",
    type=click.Choice([Device.CPU.value, Device.CUDA.value]),
    default="cpu",
    show_default=True,
    help="For the processor, or for the GPU of this machine.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(device: str, debug: bool) -> None:
    """Compile ahead what 'dpid downscale' needs for files, which takes some minutes once.

    Covers every method, 8 and 16 bits and floats, gray and colour, with and without transparency.
    The result is kept on disk: set DPID_CACHE_DIR to choose where.
    """
    from dpid_cli.downscaling.warmup import cache, cases, counts

    folder, all_cases = cache(device), cases(device)
    for number, case in enumerate(all_cases, start=1):
        if on_terminal():
            say(f"{number}/{len(all_cases)} {case}")
        case.compile()
    compiled, found = counts(device)
    click.echo(f"kernel cache  {folder}\ncompiled      {compiled}\nfound         {found}")
