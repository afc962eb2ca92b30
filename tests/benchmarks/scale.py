"""Measure what a batch costs, and compute what a hundred million images would take.

Run as ``python -m tests.benchmarks.scale`` from the root of the repository, with the extra ``distributed``
installed. It prints the tables of docs/scale.md; it takes about a minute.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

from PIL import Image

from dpid_cli.batching.dask import Cluster, connected
from dpid_cli.batching.items import Item, Result
from dpid_cli.batching.report import line_of
from dpid_cli.batching.selection import Listed
from dpid_cli.batching.session import Session
from dpid_cli.batching.spec import BatchSpec, OutputSpec
from dpid_cli.batching.worker import convert_items
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest

from .markdown import table

IMAGES, ROUNDS = 40, 5
LISTED = 50_000
CHUNKS = 400
MANY = 100_000_000
MACHINE = 64  # cores


def spec_for(output: str, **options) -> BatchSpec:
    return BatchSpec((OutputSpec(Recipe(SizeRequest("scale", 4.0), "dpid", threads=1)),), output, **options)


def images(folder: Path) -> tuple[float, list[Result]]:
    """CPU seconds per photo, 1024x768 JPEG to a quarter of its size, and the last results."""
    sample = Image.open(Path(__file__).parents[2] / "samples" / "rocket.jpg").convert("RGB")
    items = []
    for k in range(IMAGES):
        path = folder / f"{k}.jpg"
        sample.transform((1024, 768), Image.Transform.EXTENT, (k, k, k + 380, k + 285), 2).save(path)
        items.append(Item(str(path), (str(folder / "out" / f"{k}.jpg"),), f"{k}.jpg"))
    found, results = [], []
    for turn in range(ROUNDS + 1):
        start = time.process_time()
        results = convert_items(spec_for(str(folder / "out"), overwrite=True), items)
        if turn:
            found.append((time.process_time() - start) / IMAGES)
    assert {result.status for result in results} == {"done"}
    return statistics.median(found), results


def listing(folder: Path) -> float:
    """Seconds to list and check an input."""
    names = folder / "names"
    lines = (f"s3://bucket/photos/{k // 1000:06}/{k:09}.jpg\n" for k in range(LISTED))
    names.write_text("".join(lines))
    start = time.perf_counter()
    selection = Listed(str(names), "s3://bucket/photos")
    with Session(spec_for("s3://other/small", dry=True), [selection]) as session:
        session.prepare()
        assert session.inventory.count == LISTED
    return (time.perf_counter() - start) / LISTED


def chunks(cluster: Cluster, **options) -> float:
    """Seconds per empty chunk."""
    empty = spec_for("out", **options)
    start = time.perf_counter()
    handed, left = set(), CHUNKS
    while handed or left:
        while left and len(handed) < 4:
            handed.add(cluster.submit(convert_items, empty, ()))
            left -= 1
        done, handed = wait(handed, return_when=FIRST_COMPLETED)
        assert not [future for future in done if future.exception()]
    return (time.perf_counter() - start) / CHUNKS


def median(call: Callable[[], float]) -> float:
    return statistics.median(call() for _ in range(3))


def main() -> None:
    """Measure, and print both tables."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image, results = images(folder)
        listed = listing(folder)
        with connected("local", 2) as cluster:
            chunks(cluster)
            marked = median(lambda: chunks(cluster))
            unmarked = median(lambda: chunks(cluster, overwrite=True))
    taken = statistics.mean(result.input_bytes for result in results)
    made = statistics.mean(result.output_bytes[0] for result in results)
    line = statistics.mean(len(line_of(result.as_dict())) for result in results)
    rows = [
        ["images/s on one core (CPU time)", f"{1 / image:.0f}"],
        ["bytes of an input, of its output", f"{taken:.0f}, {made:.0f}"],
        ["inputs/s listed and checked, from a list", f"{1 / listed:.0f}"],
        ["time per chunk in the scheduler, with marks", f"{marked * 1e3:.2f} ms"],
        ["time per chunk in the scheduler, without (--overwrite)", f"{unmarked * 1e3:.2f} ms"],
        ["one line of the report", f"{line:.0f} bytes"],
    ]
    hours = MANY * image / 3600
    print(table(["measured", "value"], rows))
    fed = 16 * image / marked
    rows = [
        ["core hours", f"{hours:.0f}"],
        [
            f"hours on 1, 10, 100 machines of {MACHINE} cores",
            ", ".join(f"{hours / MACHINE / n:.3g}" for n in (1, 10, 100)),
        ],
        ["bytes read, written", f"{MANY * taken / 1e12:.1f} TB, {MANY * made / 1e12:.2f} TB"],
        [
            f"traffic of each machine of {MACHINE} cores",
            f"{MACHINE / image * (taken + made) / 1e6:.0f} MB/s",
        ],
        ["hours to list and check", f"{MANY * listed / 3600:.1f}"],
        ["size of the report", f"{MANY * line / 1e9:.0f} GB"],
        ["cores that one scheduler keeps busy, with chunks of 16, 256", f"{fed:.0f}, {16 * fed:.0f}"],
        ["S3 requests (1 put, 1-2 gets, 5 heads and lists each)", f"{MANY * 8 / 1e6:.0f} million"],
    ]
    print()
    print(table([f"{MANY:,} images".replace(",", " "), "value"], rows))


if __name__ == "__main__":
    main()
