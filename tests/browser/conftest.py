"""One whole product and one Chromium for all browser tests; each test brings a consumer of its own."""

import fcntl
import os
import shutil

import pytest

from portal.local import HOME
from portal.local.stack import free_port, introduce
from tests.browser.consumer import Consumer, Product, Watch, place

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--password-store=basic",
)
OWN_PAGES = "WebUIOmniboxPopup,WebUIOmniboxAimPopup"
"""Pages of its own that Chromium keeps ready in every window below an address bar that nobody sees."""
PHONE = {"width": 390, "height": 844}
REDIS_DB = 7  # below are the demonstration's, above those of the test workers
PATIENCE = 15_000  # ms for a page that takes 100, on a loaded machine


@pytest.fixture(scope="session", autouse=True)
def chromium_is_here() -> None:
    """Skip where there is no Chromium: `.ci/run` installs it."""
    if not shutil.which(CHROMIUM):
        pytest.skip(f"{CHROMIUM} is not here: install Chromium, or name another one in CHROMIUM")


@pytest.fixture(scope="package")
def stack(chromium_is_here):
    """Start the product once, its accounts pushed by the hosts; a second run in this checkout waits for the first."""
    folder = HOME / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stack = Product(port=free_port(), database="quittance_browser", redis_db=REDIS_DB, folder=folder / "stack")
        try:
            introduce(stack)
            stack.push_all()
            yield stack
        finally:
            stack.stop()


@pytest.fixture(scope="package")
def chromium(chromium_is_here):
    """Run one Chromium while this package runs: Django refuses its database beside Playwright's event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = _launch(playwright, f"--disable-features={_left_out(playwright)},{OWN_PAGES}")
        yield browser
        browser.close()


def _launch(playwright, *more: str):
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])


def _left_out(playwright) -> str:
    """Give what Playwright itself has Chromium leave out: of two such lists Chromium reads the last."""
    browser, option = _launch(playwright, "--enable-automation"), "--disable-features="
    line = browser.new_browser_cdp_session().send("Browser.getBrowserCommandLine")["arguments"]
    browser.close()
    return next(word.removeprefix(option) for word in line if word.startswith(option))


@pytest.fixture
def open_window(chromium):
    """Open windows that are watched: whatever a page says on the console, or asks of a stranger, fails the test."""
    watched: list[Watch] = []

    def window(**options):
        context = chromium.new_context(**({"viewport": PHONE, "locale": "en-US"} | options))
        context.set_default_timeout(PATIENCE)
        watched.append(Watch(context))
        return context

    yield window
    for watch in watched:
        watch.context.close()
    assert [line for watch in watched for line in watch.complaints] == []


@pytest.fixture
def newcomer(stack, open_window):
    """Let a host place an account like one of the demonstration's, and open its consumer's browser."""

    def newcomer(slug: str = "acme", like: str = "100234", *, window=None, **changes) -> Consumer:
        return Consumer(stack, slug, place(stack, slug, like, **changes), open_window(**(window or {})))

    return newcomer


@pytest.fixture
def consumer_of(stack, open_window):
    """Open the browser of a consumer whom the demonstration knows."""

    def consumer_of(slug: str, reference: str, **options) -> Consumer:
        return Consumer(stack, slug, stack.records[slug, reference], open_window(**options))

    return consumer_of
