"""Files read and written by several threads at once."""

from __future__ import annotations

import io
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from dpid_cli.errors import DpidError, DpidWarning, collected, warn
from dpid_cli.files.output import atomic
from dpid_cli.pictures import read
from dpid_cli.pictures.decoders import decoder_warnings, settings


def of_process():
    return (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        warnings.showwarning,
        list(warnings.filters),
    )


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A picture; one that is cut off; one with damaged EXIF."""
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)

    def encoded(**options) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(noise).save(stream, **options)
        return stream.getvalue()

    whole = encoded(format="PNG")
    tags = Image.Exif()
    tags[0x010E] = "a description that is longer than four bytes"
    return {
        "whole": whole,
        "cut": whole[: len(whole) // 2],
        "exif": encoded(format="JPEG", exif=tags.tobytes()[:-12]),
    }


def test_each_thread_reads_by_its_own_settings(files):
    """Strict and lenient ones, small and large limits, and warnings, all mixed."""

    def told(name: str, **options) -> str:
        with collected() as warned:
            try:
                picture = read(io.BytesIO(files[name]), name, **options)
            except DpidError as error:
                return str(error)
        return f"{picture.pixels.shape} {int(picture.pixels.sum())} {warned}"

    cases = [
        ("whole", {}),
        ("cut", {}),
        ("cut", {"truncated": True}),
        ("exif", {}),
        ("whole", {"max_pixels": 100}),
        ("whole", {"max_pixels": 4096}),
    ]
    alone = [told(name, **options) for name, options in cases]
    assert len(set(alone)) == 5  # the first and the last are the same
    assert "truncated" in alone[1] and "blank" in alone[2] and "EXIF" in alone[3] and "limit" in alone[4]
    before = of_process()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda case: told(case[0], **case[1]), cases * 40))
    assert together == alone * 40
    assert of_process() == before


def test_who_wants_other_settings_waits_but_not_for_ever():
    order = []
    first_is_in, first_may_go = threading.Event(), threading.Event()

    def first() -> None:
        with settings(1, False):
            first_is_in.set()
            first_may_go.wait()
            order.append("first")

    def other(name: str, truncated: bool) -> None:
        with settings(1, truncated):
            order.append((name, ImageFile.LOAD_TRUNCATED_IMAGES))

    threads = [threading.Thread(target=first)]
    threads[0].start()
    first_is_in.wait()
    for name, truncated in (("lenient", True), ("strict", False)):
        threads.append(threading.Thread(target=other, args=(name, truncated)))
        threads[-1].start()
        threads[-1].join(0.1)
        assert threads[-1].is_alive()  # the strict one too: it came later
    first_may_go.set()
    for thread in threads:
        thread.join(10)
    assert order[0] == "first" and sorted(order[1:]) == [("lenient", True), ("strict", False)]


def test_warnings_reach_who_they_are_for():
    with warnings.catch_warnings(record=True) as python, settings(1, False), decoder_warnings() as told:
        warnings.simplefilter("always")
        warnings.warn_explicit("of a decoder", UserWarning, "x.py", 1, "PIL.x")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(warnings.warn, "of another thread", stacklevel=2).result()
        warn("ours")
    assert told == ["of a decoder"]
    assert [str(warning.message) for warning in python] == ["of another thread", "ours"]
    assert python[-1].category is DpidWarning


def test_permissions_with_many_threads(tmp_path):
    before = os.umask(0o027)

    def save(number: int) -> int:
        with atomic(tmp_path / str(number), overwrite=False) as stream:
            stream.write(b"x")
        return (tmp_path / str(number)).stat().st_mode & 0o777

    try:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(save, range(400))) == {0o640}
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
