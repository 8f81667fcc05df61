"""Open a page as a reader would, and note what it asks for and what it complains of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

HERE = Path(__file__).parent
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

    def listen(self, page: Page) -> None:
        page.on("request", self.request)
        page.on("response", self.response)
        page.on("console", self.message)
        page.on("pageerror", lambda error: self.trouble.append(error.message))
        page.on("websocket", lambda socket: self.foreign.append(socket.url))


@dataclass
class Visitor:
    """Whoever opens pages of one site in one browser."""

    browser: Browser
    base: str

    @contextmanager
    def open(
        self,
        at: str,
        size: tuple[int, int] = DESK,
        scheme: Literal["light", "dark"] = "light",
        scripts: bool = True,
    ) -> Iterator[tuple[Page, Visit]]:
        """A page, loaded and at rest, with cold caches and no memory."""
        width, height = size
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        visit = Visit(self.base)
        try:
            page = context.new_page()
            visit.listen(page)
            if scripts:
                page.add_init_script(path=HERE / "proof.js")
            page.goto(self.base + at)
            if scripts:
                page.evaluate("proof.settle()")
            yield page, visit
        finally:
            context.close()
