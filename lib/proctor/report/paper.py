"""What all pages share: one template engine that escapes everything, one sheet of style, no script, no other host."""

import functools
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from proctor.collect import Unusable
from proctor.reading import in_words

HERE = Path(__file__).parent
READ = re.compile(r"(?P<slug>[\w/-]+)#(?P<anchor>[\w-]+)")
LONG = 20_000  # characters of code beyond which colors would cost too much
# what reverses the order of the text around it; a name keeps its own direction without
OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")


def colored(code: str) -> Markup:
    """Code as text with colors; nothing in it is markup."""
    if len(code) > LONG:
        return escape(plain(code))
    formatter: Any = HtmlFormatter(nowrap=True)
    return Markup(highlight(plain(code), PythonLexer(stripnl=False), formatter))


def plain(text: str) -> str:
    """A text without control characters and without overrides of its direction."""
    kept = OVERRIDES.sub("", text)
    return "".join(c for c in kept if c >= " " or c in "\n\t")


def coded(text: str) -> Markup:
    """Words in which `this` is code."""
    parts = re.split(r"`([^`]+)`", plain(text))
    marked = [
        Markup("<code>{}</code>").format(p) if at % 2 else escape(p) for at, p in enumerate(parts)
    ]
    return Markup("").join(marked)


def number(value: float | None) -> str:
    """At most two digits after the point; a dash for none."""
    return "–" if value is None else f"{round(value, 2):g}"


def percent(value: float) -> str:
    """A share in hundredths."""
    return f"{100 * value:.0f} %"


def checked(book: str) -> str:
    """The book's address, which must be one that a page may link to; empty for none."""
    parts = urlsplit(book)
    if book and (parts.scheme not in ("http", "https", "file") or not (parts.netloc or parts.path)):
        raise Unusable(f"--book is {book!r}, expected an address such as https://example.org/book/")
    return book and book.rstrip("/") + "/"


def reading(read: str, book: str) -> str:
    """Where a section stands in the book; empty without a book."""
    found = READ.fullmatch(read)
    return f"{book}{found['slug']}.html#{found['anchor']}" if found and book else ""


@functools.cache
def engine() -> tuple[Environment, Markup]:
    """The templates, made once, and their sheet of style."""
    made = Environment(
        loader=FileSystemLoader([HERE, HERE.parent / "feedback"]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=lambda v: plain(v) if type(v) is str else v,
    )  # fmt: skip
    made.filters |= {
        "colored": colored, "coded": coded, "number": number, "percent": percent, "words": in_words,
    }  # fmt: skip
    return made, Markup((HERE / "page.css").read_text(encoding="utf-8"))


def page(template: str, **values: Any) -> str:
    """A page, whole in itself."""
    made, style = engine()
    return made.get_template(template).render(style=style, **values)


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    """A file that is there whole, or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding=encoding, newline="")
    part.replace(path)
