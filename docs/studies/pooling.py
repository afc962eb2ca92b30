"""Compare poolings in small networks: ``python docs/studies/pooling.py IMAGES [-j N]``, with PyTorch.

Trains three networks with each pooling and several seeds, and writes one line of JSON for each run to
docs/studies/pooling.jsonl. Runs that stand there are not repeated, so an interrupted study goes on where it
was. Then makes docs/pooling-study.md and its figures from that file; without IMAGES it does only that. IMAGES
is CIFAR-10 as binary files or as an archive of JPEG files, or a folder of class folders (see labelled.py).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

RUNS = Path(__file__).with_suffix(".jsonl")
NETWORKS = ("vgg", "nin", "resnet")


def main() -> None:
    """Parse the arguments, train what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "images", type=Path, nargs="?", help="labelled images; without them, only the page is made"
    )
    parser.add_argument(
        "--full", action="store_true", help="as in the papers: ResNet-110 too, all images, 164 epochs"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="runs of each network and pooling (3)"
    )
    parser.add_argument("--network", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--pooling", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time (all cores)"
    )
    parser.add_argument("--runs", type=Path, default=RUNS, metavar="FILE", help="results, a line each")
    arguments = parser.parse_args()
    if arguments.images is not None:
        study(arguments)
    if arguments.runs == RUNS:
        import pooling_page

        pooling_page.write(read(RUNS))


def study(arguments: argparse.Namespace) -> None:
    """Train what the file of results lacks."""
    from networks import POOLINGS
    from training import FULL, Protocol, Run

    protocol = FULL if arguments.full else Protocol()
    networks = arguments.network or ((*NETWORKS, "resnet110") if arguments.full else NETWORKS)
    names = itertools.product(range(arguments.seeds), arguments.pooling or POOLINGS, networks)
    settings = json.loads(json.dumps(asdict(protocol)))
    known = {key(line) for line in read(arguments.runs) if line["protocol"] == settings}
    runs = [Run(network, pooling, seed) for seed, pooling, network in names]
    missing = [run for run in runs if key(asdict(run)) not in known]
    print(f"{len(runs) - len(missing)} of {len(runs)} runs stand in {arguments.runs}", file=sys.stderr)
    spawned = get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // arguments.jobs)
    with ProcessPoolExecutor(arguments.jobs, mp_context=spawned) as pool:
        futures = [pool.submit(one, run, protocol, arguments.images, threads) for run in missing]
        for done, future in enumerate(as_completed(futures), 1):
            result = future.result()
            append(arguments.runs, {**result, "protocol": settings})
            names = f"{result['network']}, {result['pooling']}, seed {result['seed']}"
            print(f"{done} of {len(missing)}: {names}: {result['error']} %", file=sys.stderr)


def one(run: Any, protocol: Any, images: Path, threads: int) -> dict[str, Any]:
    """One run, in a process of its own."""
    from training import train

    return train(run, protocol, loaded(images, protocol.images, protocol.images_test), threads)


@cache
def loaded(path: Path, *counts: int | None) -> Any:
    """The images, once in each process."""
    from labelled import load

    return load(path, *counts)[:2]


def key(line: dict[str, Any]) -> tuple[str, str, int]:
    """What names a run."""
    return line["network"], line["pooling"], line["seed"]


def read(path: Path) -> list[dict[str, Any]]:
    """The results so far; none without the file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def append(path: Path, result: dict[str, Any]) -> None:
    """Write all results with one more, in the order of their names, or leave the file as it is."""
    lines = sorted([*read(path), result], key=lambda line: (str(line["protocol"]), key(line)))
    beside = path.with_suffix(".new")
    beside.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    beside.replace(path)


if __name__ == "__main__":
    main()
