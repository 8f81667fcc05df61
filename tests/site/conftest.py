"""One browser and one server for all proofs of pages."""

import functools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from press import serve
from press.layout import SITE, relative
from tests.site.pages import whole
from tests.site.proof import Report, examine
from tests.site.visit import Visitor


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site, which must be there."""
    if not (SITE / "index.html").exists():
        pytest.fail(
            f"{relative(SITE)} holds no site: run `make serve` or `make test`", pytrace=False
        )
    return SITE


@pytest.fixture(scope="session")
def visitor(browser: Browser, site: Path) -> Iterator[Visitor]:
    """Whoever reads the built site."""
    with serve.server(0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Visitor(browser, f"http://127.0.0.1:{running.server_address[1]}/")
        running.shutdown()


@pytest.fixture(scope="session")
def report(visitor: Visitor) -> Callable[[str], Report]:
    """All faults of a page; every page is opened once, whatever is asked of it."""
    return functools.cache(lambda at: examine(visitor, at, SITE, whole=at in whole()))
