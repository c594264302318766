"""Browser tests: Debian's Chromium, driven by playwright. In a pytest process of their own: `pytest tests/browser`.

A test asks for `phone` (390 px) or `desk` (1440 px), each in both colour schemes, or for `new_page` to choose. A page
that logs an error, breaks the content security policy or asks a third party for anything fails its test at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright's sync API keeps an event loop in this thread

AXE_VERSION = "4.14.1"
AXE_FOLDER = Path(__file__).resolve().parents[2] / "var" / "axe" / AXE_VERSION
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
QUIET = [
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
]  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "phone": {
        "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True,
    },
    "desk": {"viewport": {"width": 1440, "height": 900}},
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def _missing(reason: str) -> None:
    """Skipped on a laptop; in CI a gate that did not run is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        _missing("Browser tests need Chromium: apt-get install chromium")
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=chromium, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture(autouse=True)
def plain_http(settings: Any) -> None:
    """The live server speaks http, where a browser keeps no cookie named __Host-."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "sjconsole", "csrftoken"
    settings.CREW_COOKIE_NAME = "sjcrew"


@pytest.fixture
def new_page(browser: Any, live_server: Any) -> Iterator[Callable[..., Any]]:
    """`new_page("phone" | "desk", "light" | "dark")` -> a playwright page of a fresh context on the live server."""
    opened = []

    def make(size: str, scheme: str = "light", **options: Any) -> Any:
        usual = {
            "base_url": live_server.url, "locale": "en-US", "timezone_id": "America/Los_Angeles",
            "color_scheme": scheme, "reduced_motion": "reduce",
        }  # fmt: skip
        context = browser.new_context(**(usual | SIZES[size] | options))
        page = context.new_page()
        page.problems = []
        context.route("**/*", lambda route: _only_ours(route, live_server.url, page.problems))
        page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)  # CSP lands here
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        opened.append(page)
        return page

    yield make
    problems = [problem for page in opened for problem in page.problems]
    for page in opened:
        page.context.close()
    assert problems == []


def _only_ours(route: Any, ours: str, problems: list[str]) -> None:
    """No third party, ever."""
    url = route.request.url
    if url.startswith((ours, "data:", "blob:")):
        route.continue_()
        return
    problems.append(f"asked a third party: {url}")
    route.abort()


@pytest.fixture(params=["light", "dark"])
def phone(new_page: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    return new_page("phone", request.param)


@pytest.fixture(params=["light", "dark"])
def desk(new_page: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    return new_page("desk", request.param)


@pytest.fixture(params=["phone-light", "phone-dark", "desk-light", "desk-dark"])
def page(new_page: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    """Both sizes in both schemes, for the sweeps."""
    return new_page(*request.param.split("-"))


def sign_in(page: Any, user: User, base_url: str) -> None:
    """Give the page's context a console session of `user`, without walking through the sign-in page."""
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": base_url}])


def axe_script() -> str:
    """axe-core (MPL-2.0) is fetched by npm when the tests run and kept under var/; it is not vendored."""
    script = AXE_FOLDER / "axe.min.js"
    if not script.exists():
        AXE_FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=AXE_FOLDER) as folder:
            fetched = Path(folder) / "axe.min.js"
            fetched.write_bytes(_fetch_axe(Path(folder)))
            fetched.replace(script)  # whole or not at all: another worker may be at it too
    return script.read_text()


def _fetch_axe(folder: Path) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        _missing(f"The accessibility gate needs npm, which brings axe-core {AXE_VERSION}")
    command = [str(npm), "pack", "--silent", f"axe-core@{AXE_VERSION}"]
    fetched = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
    if fetched.returncode:
        _missing(f"npm could not bring axe-core {AXE_VERSION}: {fetched.stderr.strip()[-300:]}")
    with tarfile.open(folder / f"axe-core-{AXE_VERSION}.tgz") as archive:
        found = archive.extractfile("package/axe.min.js")
        assert found is not None
        return found.read()


def violations(page: Any) -> list[list[Any]]:
    """What axe finds against WCAG 2.2 AA on the page as it stands: [rule, how many nodes, the first one's address].

    The script goes in through the debugger protocol, so the site's policy stays as it is. axe tries an inline style on
    some forms, which the policy reports as the page's error: the list of problems is put back.
    """
    before = list(page.problems)
    page.evaluate(axe_script())
    found: list[list[Any]] = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})"
        ".then(r => r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].target.join(' ')]))",
        RULES,
    )
    page.problems[:] = before
    return found


@pytest.fixture(name="violations")
def _violations() -> Callable[[Any], list[list[Any]]]:
    return violations


@pytest.fixture(name="sign_in")
def _sign_in(live_server: Any) -> Callable[[Any, User], None]:
    return lambda page, user: sign_in(page, user, live_server.url)
