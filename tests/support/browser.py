"""A real browser without a window: Chromium, driven by Selenium."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.servers import program, unavailable

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_INSTALL = "apt-get install -y --no-install-recommends chromium chromium-driver"


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """A browser with a profile of its own; the test is skipped, or fails, if it is not installed."""
    try:
        from selenium import webdriver  # noqa: PLC0415
    except ImportError:
        unavailable("selenium is not installed: pip install --group browser")
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium", _INSTALL)
    for argument in (
        "--headless=new",
        "--no-sandbox",  # root has none
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--autoplay-policy=no-user-gesture-required",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(program("chromedriver", _INSTALL))
    browser = webdriver.Chrome(options, service)
    try:
        yield browser
    finally:
        browser.quit()


def screen(browser: Chrome, width: int, *, dark: bool = False) -> None:
    """Let it have a screen of so many pixels, a phone's if it is narrow."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def complaints(browser: Chrome) -> list[str]:
    """What stands in the console since the last call."""
    entries: list[dict[str, Any]] = browser.get_log("browser")
    return [str(entry["message"]) for entry in entries]
