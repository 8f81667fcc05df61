"""What every test may ask for: a generator, the pretended device, a row of parity."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jaxtyping
import pytest

import tests.shapes_checked  # noqa: F401  named below

# Annotations of shapes become assertions; this must happen before `etude` is imported.
jaxtyping.install_import_hook("etude", "tests.shapes_checked.checked")

import torch  # noqa: E402
from hypothesis import settings  # noqa: E402
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

from press.ledger import Ledger, chapter_of_test  # noqa: E402
from tests.fake_accelerator import NAME, FakeAccelerator  # noqa: E402
from tests.on_device import accelerator  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)
    settings.register_profile("house", deadline=None, derandomize=True)
    settings.load_profile("house")
    config.addinivalue_line("markers", "device: runs on the pretended device, or on a real one")
    torch.backends.cudnn.allow_tf32 = False  # ten bits of a float32 are not what is compared
    accelerator()  # registers it: a backward before would leave autograd without the device
    config.pluginmanager.register(Ledger(config), "ledger")


class ByFileAndChapter(LoadScopeScheduling):
    """A worker does a file's tests of one chapter in a go.

    They share what is dear to set up. With whole files, the proofs of all pages would keep one worker busy
    long after the other has nothing to do.
    """

    def _split_scope(self, nodeid: str) -> str:
        return f"{nodeid.partition('::')[0]}:{chapter_of_test(nodeid)}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileAndChapter:
    return ByFileAndChapter(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the device: `press test-gpu` runs that on a real one."""
    for item in items:
        if "fake_device" in getattr(item, "fixturenames", ()):
            item.add_marker("device")


@pytest.fixture
def generator() -> torch.Generator:
    """A stream of random numbers that belongs to one test."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def as_a_user() -> Iterator[None]:
    """Switch the assertions of shapes off: what a learner would see."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def fake_device() -> Iterator[torch.device]:
    """A device on which hidden CPU tensors are errors, for one test.

    The pretended one, with real values; where `ETUDE_DEVICE` names an accelerator, that one.
    """
    with FakeAccelerator() if accelerator().type == NAME else nullcontext():
        yield accelerator()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """An installed Chromium, started once, that reaches this machine only."""
    from playwright.sync_api import sync_playwright

    from press.browser import launch

    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare with a reference, and put the difference into the table that the site publishes."""
    chapter = chapter_of_test(request.node.nodeid)

    def compare(
        item: str, ours: object, theirs: object, *, reference: str, tolerance: float
    ) -> None:
        ours, theirs = (torch.as_tensor(value).detach().cpu().double() for value in (ours, theirs))
        assert ours.shape == theirs.shape, f"{item}: shape {ours.shape}, reference {theirs.shape}"
        scale = max(1.0, float(theirs.abs().max()))
        measured = float((ours - theirs).abs().max()) / scale
        row = {
            "chapter": chapter,
            "item": item,
            "reference": reference,
            "tolerance": tolerance,
            "measured": measured,
        }
        folder = ROOT / "_build" / "parity"
        folder.mkdir(parents=True, exist_ok=True)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        with (folder / f"{worker}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        assert measured <= tolerance, f"{item}: differs from {reference} by {measured:.2g}"

    return compare
