"""Open a page as a reader would, and note what it asks for and what it complains of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, Response, WebSocket

HERE = Path(__file__).parent
BLANK = "_static/favicon.svg"  # where a tab waits; of the same origin, so that its memory can be emptied
DESK, PHONE = (1440, 900), (375, 812)


@dataclass
class Visit:
    """A page in a browser that remembers nothing, and what came over its wires."""

    base: str
    asked: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        if request.url.startswith(("data:", "blob:")):
            return
        (self.asked if request.url.startswith(self.base) else self.foreign).append(request.url)

    def response(self, response: Response) -> None:
        if response.status >= 400:
            self.missing.append(f"{response.status} {response.url.removeprefix(self.base)}")

    def message(self, message: ConsoleMessage) -> None:
        # What could not be loaded is foreign or missing, and said there.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.trouble.append(message.text)

    def exception(self, error: Error) -> None:
        self.trouble.append(error.message)

    def socket(self, socket: WebSocket) -> None:
        self.foreign.append(socket.url)

    def listeners(self) -> dict[str, Callable]:
        return {
            "request": self.request,
            "response": self.response,
            "console": self.message,
            "pageerror": self.exception,
            "websocket": self.socket,
        }


@dataclass
class Visitor:
    """Whoever opens pages of one site in one browser, one after the other.

    All visits share one tab: a new one costs four times what a small page does.
    """

    browser: Browser
    base: str
    tabs: dict[bool, Page] = field(default_factory=dict)

    def tab(self, scripts: bool) -> Page:
        """The tab, with or without scripts; it fetches everything anew each time."""
        if scripts not in self.tabs:
            context = self.browser.new_context(java_script_enabled=scripts)
            page = self.tabs[scripts] = context.new_page()
            context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
            if scripts:
                page.add_init_script(path=HERE / "proof.js")
        return self.tabs[scripts]

    @contextmanager
    def open(
        self,
        at: str,
        size: tuple[int, int] = DESK,
        scheme: Literal["light", "dark"] = "light",
        scripts: bool = True,
    ) -> Iterator[tuple[Page, Visit]]:
        """A page, loaded and at rest, in a browser that remembers nothing."""
        page, visit = self.tab(scripts), Visit(self.base)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(media="screen", color_scheme=scheme, reduced_motion="no-preference")
        heard: dict[Any, Callable] = visit.listeners()
        for event, listener in heard.items():
            page.on(event, listener)
        try:
            page.goto(self.base + at)
            if scripts:
                page.evaluate("proof.settle()")
            yield page, visit
        finally:
            for event, listener in heard.items():
                page.remove_listener(event, listener)
            page.goto(self.base + BLANK)
            page.evaluate("localStorage.clear(); sessionStorage.clear()")
