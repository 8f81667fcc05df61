"""Run a cell in IPython's shell and keep what it prints and shows, within bounds."""

import ast
import base64
import io
import sys
import traceback
import warnings
from contextlib import contextmanager
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

WORDS = 99_000  # characters of a cell's output, less than a warden lets through
CUT = "\n… output cut by the grader …\n"
PICTURES = 20  # of a cell


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr: writes into the outputs of the cell that runs."""

    encoding = "utf-8"  # pyright: ignore

    def __init__(self, name: str) -> None:
        self.name = name
        self.outputs: Outputs | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Add to the outputs."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.outputs is not None:
            self.outputs.text(self.name, text)
        return len(text)


class Outputs:
    """What one cell prints and shows, never more than the limit."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self.left, self.pictures = WORDS, PICTURES

    def text(self, name: str, text: str) -> None:
        """Words on a stream."""
        if self.left <= 0 or not text:
            return
        kept = text[: self.left] + CUT * (len(text) >= self.left)
        self.left -= len(text)
        if not self.found or self.found[-1].get("name") != name:
            self.found.append({"output_type": "stream", "name": name, "parts": []})
        self.found[-1]["parts"].append(kept)

    def show(self, data: dict[str, Any], kind: str = "display_data") -> None:
        """Something displayed: its text, and its picture."""
        texts = {"text/plain": str(data.get("text/plain", ""))[: max(0, self.left)]}
        self.left -= len(texts["text/plain"]) + 100
        picture = data.get("image/png")
        if picture and self.pictures > 0:
            self.pictures -= 1
            raw = picture if isinstance(picture, str) else base64.b64encode(picture).decode()
            texts["image/png"] = raw
        if self.left > 0 or kind == "execute_result":
            self.found.append({"output_type": kind, "data": texts, "metadata": {}})

    def done(self) -> list[dict[str, Any]]:
        """All of it, as a notebook holds it."""
        return [
            {**{k: v for k, v in one.items() if k != "parts"}, "text": "".join(one["parts"])}
            if "parts" in one else one
            for one in self.found
        ]  # fmt: skip


STREAMS = Stream("stdout"), Stream("stderr")


@contextmanager
def listening(outputs: Outputs):
    """Streams write into these outputs."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = STREAMS
    for stream in STREAMS:
        stream.outputs = outputs
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in STREAMS:
            vars(stream).pop("write", None)
            stream.outputs = None


def shell() -> InteractiveShell:
    """IPython without a history, made and used once before the forks."""
    config: Any = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.cache_size = 0
    config.InteractiveShell.colors = "nocolor"
    made: Any = InteractiveShell.instance(config=config)
    for name in ("showtraceback", "_showtraceback", "showsyntaxerror", "showindentationerror"):
        setattr(made, name, lambda *_, **__: None)
    made.displayhook.write_output_prompt = made.displayhook.finish_displayhook = lambda: None
    made.enable_gui = lambda *_, **__: None  # `%matplotlib inline` asks for one
    transforms: Any = made.input_transformer_manager
    slow = transforms.do_token_transforms
    # Plain Python has no magics to look for, and the search is dear in a long test.
    transforms.do_token_transforms = lambda lines: lines if plain(lines) else slow(lines)
    made.run_cell("1 + 1", store_history=False)
    return made


def plain(lines: list[str]) -> bool:
    """Whether a cell is Python as it stands."""
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def run(ip: Any, source: str) -> tuple[list[dict], Any, BaseException | None]:
    """Run a cell: its outputs, its last value where it was shown, and its error."""
    outputs, shown = Outputs(), []
    ip.display_pub.publish = lambda data, *_, **__: outputs.show(data)
    ip.displayhook.write_format_data = lambda data, *_: shown.append(data)
    with listening(outputs):
        result = ip.run_cell(source, store_history=False, silent=False)
        draw(outputs)
    if shown:
        outputs.show(shown[-1], "execute_result")
    error = result.error_before_exec or result.error_in_exec
    found = outputs.done()
    if error is not None:
        found.append(described(error))
    return found, result.result if shown else NOTHING, error


NOTHING = object()


def draw(outputs: Outputs) -> None:
    """Show the figures that a cell left open, as a notebook does."""
    plots: Any = sys.modules.get("matplotlib.pyplot")
    for number in plots.get_fignums() if plots else ():
        file = io.BytesIO()
        try:
            plots.figure(number).savefig(file, format="png", dpi=72, bbox_inches="tight")
            outputs.show({"text/plain": "<Figure>", "image/png": file.getvalue()})
        except Exception as error:
            outputs.text("stderr", f"a figure could not be drawn: {type(error).__name__}\n")
    if plots:
        plots.close("all")


def described(error: BaseException) -> dict[str, Any]:
    """An error as a notebook shows it."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    frames = [line for line in lines if "IPython/core" not in line and "proctor/pen" not in line]
    try:
        text = str(error)[:2000]
    except Exception:
        text = ""
    trace = "".join(frames)[-8000:].splitlines()
    return {
        "output_type": "error",
        "ename": type(error).__name__,
        "evalue": text,
        "traceback": trace,
    }
