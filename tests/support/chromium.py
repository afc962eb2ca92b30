"""Chromium for tests of pages, and the page of one's own image in it."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def launched() -> Iterator[Any]:
    """A running browser; skips the test if there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install 'dpid-cli[browser]'"
    )
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """A page; it must not print to the console, nor load anything."""
    context = browser.new_context(**({"viewport": {"width": 1000, "height": 900}} | options))
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request",
        lambda asked: said.append(asked.url) if not asked.url.startswith(("file:", "data:", "blob:")) else 0,
    )
    page.goto(address)
    yield page
    context.close()
    assert said == []


def until(page: Any, expression: str) -> None:
    """Wait until an expression is true; the policy of the page forbids Playwright's own way to wait."""
    for _ in range(2400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(expression)


def open_image(page: Any, path: Path) -> None:
    """Choose a file and wait until both of its outputs are shown."""
    page.set_input_files("#file", path)
    until(page, "state.image !== null && state.ready")


def asked(page: Any, message: dict[str, Any], file: Path | None = None) -> dict[str, Any]:
    """What the worker answers, with pixels in base 64; a file is sent in place of an image."""
    content = {"name": file.name, "bytes": base64.b64encode(file.read_bytes()).decode()} if file else None
    script = """async ([message, content]) => {
      if (content) {
        const bytes = Uint8Array.from(atob(content.bytes), (letter) => letter.charCodeAt(0));
        message.file = new File([bytes], content.name);
      }
      const answer = await ask(message);
      const textOf = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
      if (answer.pixels) answer.pixels = textOf(answer.pixels);
      if (answer.png) answer.png = textOf(new Uint8Array(await answer.png.arrayBuffer()));
      return answer;
    }"""
    return page.evaluate(script, [message, content])
