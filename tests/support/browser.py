"""A real browser without a window: Debian's chromium, driven by its own chromedriver."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.support.required import give_up

_OPTIONS: Final = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


class Browser:
    """One tab."""

    def __init__(self, driver: Chrome) -> None:
        self._driver = driver

    def look(self, url: str, *, width: int = 1200, scheme: str = "light", scripts: bool = True) -> None:
        """Open `url` as a window of that width, in that colour scheme."""
        self._driver.get("about:blank")
        self.complaints()  # of the page before
        self._do("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self._do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._do("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._driver.get(url)

    def run(self, script: str, *arguments: object) -> Any:
        """What `script` returns."""
        return self._driver.execute_script(script, *arguments)

    def run_async(self, script: str) -> Any:
        """What `script` gives to its last argument, a function."""
        return self._driver.execute_async_script(script)

    def complaints(self) -> list[str]:
        """What the console has logged: errors, and violations of the content security policy."""
        entries: list[dict[str, Any]] = self._driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]

    def roles(self) -> list[tuple[str, str]]:
        """Role and name of each node, as a screen reader has them."""
        nodes = self._do("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
        ]

    def press_tab(self) -> str:
        """Press the tab key; returns the name of the element that has the focus then."""
        for kind in ("keyDown", "keyUp"):
            self._do("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        return str(self.run("return document.activeElement.tagName"))

    def take_picture(self, path: Path, height: int) -> None:
        """Write the upper part of the page into a PNG file."""
        width = self.run("return innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        path.write_bytes(
            base64.b64decode(self._do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"])
        )

    def _do(self, command: str, **parameters: object) -> Any:
        return self._driver.execute_cdp_cmd(command, parameters)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile. Skips the test where there is none, or fails it if REQUIRE_CHROMIUM is 1."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        give_up(
            "REQUIRE_CHROMIUM",
            "chromium and chromedriver are not installed: apt-get install chromium chromium-driver",
        )
    options = Options()
    options.binary_location = binary
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()
