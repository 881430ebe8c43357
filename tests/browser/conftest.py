"""The browser, the web server it talks to, and windows in which somebody has signed in.

Playwright's synchronous API keeps an event loop running in this thread from its first use to the end of the session,
and Django refuses to touch its database in a thread with a running loop, lest a query block it. Here nothing else
runs in that loop, so the refusal is switched off; and since it would hit every later test of the session, the tests
of this directory run last.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import BrowserContext, Page, ViewportSize, expect
from pytest_django import DjangoDbBlocker

from shipping.models import Sender
from tests.browser.watching import Watch
from tests.factories import make_sender
from tests.support.sandbox import SandboxProcess
from tests.support.web import WebServer
from tests.views.conftest import grant

HERE = Path(__file__).parent
LAPTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
# Two busy cores take their time, and a banner looks again every few seconds.
PATIENCE_MILLISECONDS = 20_000

NO_CHROMIUM = "There is no Chromium here (on Debian: apt-get install chromium; elsewhere name it with CHROMIUM=...)."

NewWindow = Callable[..., Page]


LEFT_OUT = pytest.StashKey[int]()


def find_chromium() -> str | None:
    """The browser of this machine."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark these tests, so that `-m "not browser"` leaves them out, and put them behind all others. Where there is no
    browser, leave them out; in CI they stay, and fail.
    """
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker("browser")
        item.add_marker(pytest.mark.django_db(transaction=True))
    items[:] = [item for item in items if HERE not in item.path.parents]
    if find_chromium() or os.environ.get("CI"):
        items += ours
    else:
        config.stash[LEFT_OUT] = len(ours)
        config.hook.pytest_deselected(items=ours)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line about all tests that were left out."""
    if LEFT_OUT in config.stash:
        terminalreporter.write_line(f"{config.stash[LEFT_OUT]} tests in a browser were skipped. {NO_CHROMIUM}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser that the tests use."""
    found = find_chromium()
    if not found:
        pytest.fail(NO_CHROMIUM)
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], chromium: str) -> Iterator[dict[str, Any]]:
    """How pytest-playwright starts the browser; nothing it does by itself may leave this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield {
            **browser_type_launch_args,
            "executable_path": chromium,
            "args": [
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        }


@pytest.fixture(scope="session")
def web_server(
    chromium: str,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    sandbox_process: SandboxProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebServer]:
    """The site on the test's database. Asks for the browser first: without one, it need not start."""
    with (
        django_db_blocker.unblock(),
        WebServer(tmp_path_factory.mktemp("web") / "web.log", SANDBOX_URL=sandbox_process.url) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def base_url(web_server: WebServer) -> str:
    """What the addresses of the tests are relative to."""
    return web_server.url


@pytest.fixture
def watch(web_server: WebServer) -> Iterator[Watch]:
    """What goes wrong in any window of the test fails it at its end."""
    watching = Watch(web_server.url)
    yield watching
    assert not watching.troubles, "\n".join([*watching.troubles, web_server.last_words()])


@pytest.fixture
def new_window(new_context: Callable[..., BrowserContext], web_server: WebServer, watch: Watch) -> NewWindow:
    """Open a browser window of its own cookies: `new_window(user, viewport=PHONE, color_scheme="dark")`."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)

    def open_window(user: User | None = None, **options: Any) -> Page:
        context = new_context(**{"viewport": LAPTOP, **options})
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        watch.over(context)
        if user is not None:
            sign_in(context, user, web_server.url)
        return context.new_page()

    return open_window


def sign_in(context: BrowserContext, user: User, site: str) -> None:
    """Put the cookie of a new session into the window."""
    client = Client()
    client.force_login(user)
    cookie = client.cookies["sessionid"]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])


@pytest.fixture
def clerk(clerk: User) -> User:
    """The clerk of all tests, who may here also start and pause jobs, as the members of the group of clerks may."""
    return grant(clerk, "add_job", "change_job")


@pytest.fixture
def page(new_window: NewWindow, clerk: User) -> Page:
    """A window of a laptop's width in which the clerk has signed in."""
    return new_window(clerk)


@pytest.fixture
def sender(db: None) -> Sender:
    """The address that parcels come from."""
    return make_sender()


@pytest.fixture
def viewer(db: None) -> User:
    """Somebody who may look at jobs and do nothing about them."""
    return grant(User.objects.create_user("viewer", password="viewer"), "view_job")
