"""The reference of the library: one section for each module, found by walking the package."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

from press.layout import chapters, slugs
from press.page.blocks import Block


def modules(root: str = "etude") -> Iterator[str]:
    """The names of all modules with a docstring, packages before what is in them; not those of drafts.

    A draft's equations are on no page, so its code could lead nowhere.
    """
    drafts = {f"{root}.{slug.replace('/', '.')}" for slug in set(slugs()) - set(chapters())}
    package = importlib.import_module(root)
    for found in pkgutil.walk_packages(package.__path__, f"{root}."):
        draft = any(f"{found.name}.".startswith(f"{one}.") for one in drafts)
        if not draft and importlib.import_module(found.name).__doc__:
            yield found.name


def reference() -> Iterator[str]:
    """MyST: a heading and an automodule for each module."""
    for name in modules():
        package = hasattr(importlib.import_module(name), "__path__")
        title = name.removeprefix("etude.")
        yield from (f"## `{title}`", "", "```{eval-rst}", f".. automodule:: {name}")
        yield from (
            ["```", ""] if package else ["   :members:", "   :member-order: bysource", "```", ""]
        )


class Api(Block):
    """```{apireference}```: the whole reference."""

    has_content = False

    def run(self):
        """Parse the generated MyST in place."""
        return self.parse(list(reference()), titles=True)


def skip(app, kind, name, member, skipped, options):
    """Leave out what scikit-learn writes into every estimator."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def plain_words(app, kind, name, member, options, lines):
    """Take docstrings as they are written for people: `code`, |t|, x*y, coef_."""
    for number, line in enumerate(lines):
        parts = re.split(r"`+([^`]+)`+", line)
        words = [re.sub(r"([|*]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
        code = [f"``{part}``" for part in parts[1::2]]
        lines[number] = "".join(w + c for w, c in zip(words, [*code, ""], strict=True))


def setup(app):
    """Register the directive."""
    # Before napoleon, whose own markup must stay.
    app.connect("autodoc-process-docstring", plain_words, priority=100)
    app.add_directive("apireference", Api)
    app.connect("autodoc-skip-member", skip)
