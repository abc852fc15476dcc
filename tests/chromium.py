"""A headless Chromium for tests of pages; they skip where there is none."""

import shutil
from contextlib import contextmanager

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FLAGS = (
    # A container's root has no sandbox to give, and these pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium():
    """A browser with a fresh profile, driven over a pipe: no port is opened."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: install one, Debian's package is `chromium`")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install .[dev]")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page that remembers what went wrong on it, and everything it asked for.

    Args:
        browser: Of `chromium`.
        file: What it opens.
        context: Settings of the browser's context: `viewport`, `color_scheme`, …
    """

    def __init__(self, browser, file, **context):
        self.context = browser.new_context(offline=True, reduced_motion="reduce", **context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.errors, self.requests = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("dialog", lambda d: (self.errors.append(d.message), d.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = file.as_uri()

    def load(self, fragment=""):
        """Open the page, or open it anew."""
        # From a blank page, since a new fragment alone would load nothing.
        self.page.goto("about:blank")
        self.page.goto(self.address + fragment)
        return self.page

    def check(self):
        """Nothing went wrong, and nothing but the page itself was asked for."""
        assert self.errors == []
        asked = {url.partition("#")[0] for url in self.requests}
        assert asked <= {self.address, "about:blank"}

    def close(self):
        """End it."""
        self.context.close()
        self.check()
