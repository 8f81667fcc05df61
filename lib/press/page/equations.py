"""Link an equation and the code that is that equation, both ways.

The chapter says ``$$ … $$ (label)``, the code says ``# Eq. (label)``; nothing else is typed.
The links are put into the finished HTML, so they work in quoted library code, in
executed cells and on viewcode's pages alike. Other builders are left alone.
"""

import functools
import re

from docutils import nodes
from sphinx.util import logging

from press.layout import ROOT

log = logging.getLogger(__name__)
MARK = re.compile(r"# Eq\. \(([\w.-]+)\)")
COMMENT = re.compile(r'<span class="c1">(# Eq\. \(([\w.-]+)\)[^<]*)</span>')
DISPLAY = re.compile(r'<div class="math notranslate nohighlight"([^>]*>.*?)</div>', re.S)
NUMBER = re.compile(r'(<div class="math[^"]*" id="equation-([^"]+)">\s*<span class="eqno">)')


def collect(app, doctree):
    """Note on which pages the code of an equation is shown."""
    for block in doctree.findall(nodes.literal_block):
        for label in MARK.findall(block.astext()):
            pages(app.env).setdefault(label, {})[app.env.docname] = None


def pages(env):
    """By label, the pages that show its code."""
    if not hasattr(env, "etude_code"):
        env.etude_code = {}
    return env.etude_code


@functools.cache
def listings() -> dict[str, list[str]]:
    """By label, the page with the source of the module that has its code."""
    found: dict[str, list[str]] = {}
    for module in sorted((ROOT / "lib" / "etude").rglob("*.py")):
        page = "_modules/" + module.relative_to(ROOT / "lib").with_suffix("").as_posix()
        for label in MARK.findall(module.read_text("utf8")):
            found.setdefault(label, []).append(page)
    return found


def purge(app, env, docname):
    """Forget a page that is read again."""
    for found in pages(env).values():
        found.pop(docname, None)


def merge(app, env, docnames, other):
    """Take over what a parallel reader has found."""
    for label, found in pages(other).items():
        pages(env).setdefault(label, {}).update(found)


def check(app, env):
    """A label in code without its equation is a broken promise: warn, so that -W fails."""
    known = env.get_domain("math").equations
    for label, found in pages(env).items():
        if found and label not in known:
            log.warning(
                "code says '# Eq. (%s)', but no equation has that label",
                label,
                location=next(iter(found)),
            )


def height(tex: str) -> float:
    """How tall MathJax will set it, in em: a guess from rows, limits, fractions, roots."""

    def row(text):
        limits = 0.77 * bool(re.search(r"\\(max|min|lim|inf|sup|arg)(?![a-zA-Z])", text))
        if big := re.search(r"\\(?:sum|prod|int|bigcup|bigcap)(?:_(?:{[^}]*}|.))?(\^)?", text):
            limits = 2.33 if big[1] else 1.66
        stacked = 1.05 * ("frac" in text or "binom" in text)
        return (
            1.06
            + max(limits, stacked)
            + 0.43 * min(limits, stacked)
            + (0.78 if limits else 0.2) * (r"\sqrt" in text)
        )

    return sum(row(text) + 0.25 for text in re.split(r"\\\\(?:\[[^]]*\])?\s", tex)) - 0.25


def reserve(match):
    """Keep an equation's place, so that nothing moves when MathJax has run."""
    style = f'style="--em:{height(match[1]):.2f}"'
    return f'<div class="math notranslate nohighlight" {style}{match[1]}</div>'


def link(app, pagename, templatename, context, doctree):
    """Turn the comment into a link to the equation, and give the equation a link to the code."""
    if "body" not in context or app.builder.format != "html":
        return
    known = app.env.get_domain("math").equations
    seen: set[str] = set()

    def place(page: str, anchor: str) -> str:
        to = "" if page == pagename else app.builder.get_relative_uri(pagename, page)
        return f"{to}#{anchor}"

    def to_equation(match):
        comment, label = match.groups()
        if label not in known:
            return match[0]
        page, number = known[label]
        key = nodes.make_id(label)
        anchor = "" if label in seen else f' id="code-{key}"'
        seen.add(label)
        href = place(page, f"equation-{key}")
        title = f"Equation ({number})"
        return f'<a class="eq-link c1"{anchor} href="{href}" title="{title}">{comment}</a>'

    def to_code(match):
        label = next((name for name in known if nodes.make_id(name) == match[2]), None)
        found = [*pages(app.env).get(label, ()), *listings().get(label or "", ())]
        if not found:
            return match[0]
        href = place(pagename if pagename in found else found[0], f"code-{match[2]}")
        title = f"Code of equation {known[label][1]}"
        return f'{match[1]}<a class="eq-code" href="{href}" aria-label="{title}">code</a> '

    body = NUMBER.sub(to_code, COMMENT.sub(to_equation, context["body"]))
    context["body"] = DISPLAY.sub(reserve, body)


def setup(app):
    """Connect the steps to the build."""
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-check-consistency", check)
    app.connect("html-page-context", link)
