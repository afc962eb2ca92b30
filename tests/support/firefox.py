"""Firefox without a window, driven by its own protocol (Marionette): JSON over a local socket."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FIREFOX = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name of a reference in WebDriver
_PREFERENCES: dict[str, Any] = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.w3c_touch_events.enabled": 1,
    "extensions.update.enabled": False,
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "",
}


class Firefox:
    """One window; `preferences` are those of about:config."""

    def __init__(self, profile: Path, size: tuple[int, int], preferences: dict[str, Any] | None = None):
        lines = (_PREFERENCES | (preferences or {})).items()
        text = "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in lines)
        profile.mkdir(parents=True)
        (profile / "user.js").write_text(text)
        words = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
        words += ["--remote-allow-system-access"]  # for the console
        environment = os.environ | {"MOZ_HEADLESS_WIDTH": "1600", "MOZ_HEADLESS_HEIGHT": "1400"}
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        self.number = 0
        try:
            self._connect(profile)
            self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            self.resize(*size)
        except BaseException:
            self.process.kill()
            raise

    def _connect(self, profile: Path) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                port = int((profile / "MarionetteActivePort").read_text())
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except (OSError, ValueError):
                assert time.monotonic() < deadline and self.process.poll() is None, "Firefox does not start"
                time.sleep(0.1)
        self._read()

    def _read(self) -> Any:
        head = b""
        while not head.endswith(b":"):
            head += self.socket.recv(1)
        left, parts = int(head[:-1]), []
        while left:
            parts.append(self.socket.recv(left))
            left -= len(parts[-1])
        return json.loads(b"".join(parts))

    def call(self, command: str, **arguments: Any) -> Any:
        """The reply to a command."""
        self.number += 1
        message = json.dumps([0, self.number, command, arguments]).encode()
        self.socket.sendall(f"{len(message)}:".encode() + message)
        _, number, error, reply = self._read()
        assert number == self.number
        assert error is None, error
        return reply["value"] if isinstance(reply, dict) and set(reply) == {"value"} else reply

    def close(self) -> None:
        self.call("Marionette:Quit", flags=["eForceQuit"])
        self.socket.close()
        self.process.wait(30)

    def resize(self, width: int, height: int) -> None:
        """Make the page so large."""
        outer = self.call("WebDriver:GetWindowRect")
        inner = self.run("return [innerWidth, innerHeight]")
        self.call(
            "WebDriver:SetWindowRect",
            width=outer["width"] + width - inner[0],
            height=outer["height"] + height - inner[1],
        )
        self.until(f"return innerWidth === {width}")

    def open(self, address: str) -> None:
        """Load a page and wait until it is ready."""
        self.call("WebDriver:Navigate", url=address)
        self.until("return 'ready' in document.documentElement.dataset")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.call("WebDriver:ExecuteScript", script=script, args=list(arguments))

    def until(self, script: str) -> None:
        """Wait until a script returns true."""
        deadline = time.monotonic() + 20
        while not self.run(script):
            assert time.monotonic() < deadline, script
            time.sleep(0.05)

    def find(self, selector: str) -> str:
        reply = self.call("WebDriver:FindElement", using="css selector", value=selector)
        return reply[_ELEMENT]

    def click(self, selector: str) -> None:
        self.call("WebDriver:ElementClick", id=self.find(selector))

    def type(self, selector: str, keys: str) -> None:
        self.call("WebDriver:ElementSendKeys", id=self.find(selector), text=keys)

    def choose(self, selector: str, label: str) -> None:
        """Choose an option of a list, as a person does."""
        self.run(
            "const list = document.querySelector(arguments[0]);"
            "list.value = [...list.options].find((option) => option.textContent === arguments[1]).value;"
            "list.dispatchEvent(new Event('change'));",
            selector,
            label,
        )

    def press(self, key: str) -> None:
        """One key on the element that has the focus."""
        steps = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.call("WebDriver:PerformActions", actions=[{"type": "key", "id": "keys", "actions": steps}])

    def move_fingers(self, *paths: list[tuple[float, float]]) -> None:
        """Put a finger on the first point of each path and move them all to the others, in step."""
        actions = []
        for finger, path in enumerate(paths):
            steps: list[dict[str, Any]] = []
            for x, y in path:
                steps.append({"type": "pointerMove", "duration": 20, "x": round(x), "y": round(y)})
                if len(steps) == 1:
                    steps.append({"type": "pointerDown", "button": 0})
            steps.append({"type": "pointerUp", "button": 0})
            touch = {"pointerType": "touch"}
            actions.append({"type": "pointer", "id": f"f{finger}", "parameters": touch, "actions": steps})
        self.call("WebDriver:PerformActions", actions=actions)

    def point(self, x: float, y: float) -> None:
        """Move the mouse."""
        steps = [{"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self.call("WebDriver:PerformActions", actions=[mouse])

    def screenshot(self, selector: str | None = None) -> np.ndarray:
        """What is visible, or one element, as (H, W, 3)."""
        target = {"id": self.find(selector), "full": False} if selector else {"full": False}
        data = base64.b64decode(self.call("WebDriver:TakeScreenshot", **target))
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"))

    def printed(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(self.call("WebDriver:Print", background=True))

    def complaints(self, address: str) -> list[str]:
        """Errors and warnings of the page in the browser's console."""
        self.call("Marionette:SetContext", value="chrome")
        script = (
            "return Services.console.getMessageArray().filter((m) => m instanceof Ci.nsIScriptError"
            " && m.sourceName.startsWith(arguments[0])).map((m) => m.errorMessage)"
        )
        found = self.run(script, address.split("#")[0])
        self.call("Marionette:SetContext", value="content")
        return found
