"""Figures that come out of cells: number and caption them, refuse a picture without alt text."""

import re

from docutils import nodes
from myst_parser.parsers.sphinx_ import MystParser
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import new_document

from press import execute

log = logging.getLogger(__name__)
FIGURE = re.compile(
    r'^<figure class="etude" data-name="([^"]*)" aria-label="([^"]*)">(.*)'
    r"<figcaption>(.*)</figcaption></figure>$",
    re.S,
)
PICTURE = re.compile(r"<(img|svg)\b[^>]*>")
NAMED = {
    "img": re.compile(r"\balt=\"[^\"]"),
    "svg": re.compile(r'aria-label="[^"]|aria-hidden="true"'),
}
COST = re.compile(r'<p class="cost">(.*?)</p>', re.S)
TYPED = re.compile(r'\bname="(fig-[\w-]+)"')


class CellFigures(SphinxTransform):
    """`show(fig, name=…, alt=…, caption=…)` becomes a real, numbered figure.

    Names are prefixed with the page's, so that two chapters may both have a `fig-result`;
    within its page a figure is referred to by the name that was typed.
    """

    default_priority = 100

    def apply(self, **kwargs):
        """Wrap what cells have shown, then let the page's references find it."""
        names: set[str] = set()
        for node in list(self.document.findall(nodes.raw)):
            if match := FIGURE.match(node.astext().strip()):
                names.add(match[1])
                self.wrap(node, *match.groups())
            elif match := COST.search(node.astext()):
                for line in self.document.findall(nodes.paragraph):
                    if "cost-here" in line["classes"]:
                        line += [nodes.strong("", "Measured"), nodes.Text(f" {match[1]}")]
        if self.env.docname in self.config.press_unexecuted:
            names |= self.stand_ins()
        for reference in self.document.findall(addnodes.pending_xref):
            if reference.get("reftarget") in names:
                reference["reftarget"] = self.label(reference["reftarget"])

    def label(self, name: str) -> str:
        """A name that no other page has."""
        return re.sub(r"\W+", "-", self.env.docname.removeprefix("book/")) + "-" + name

    def stand_ins(self) -> set[str]:
        """An empty figure for each one that was not drawn, so that references hold."""
        names = set()
        for cell in list(self.document.findall(is_cell)):
            for name in TYPED.findall(cell.astext()):
                figure = self.figure(name, cell)
                figure += nodes.caption("", "Not drawn in this build.")
                cell.parent.insert(cell.parent.index(cell) + 1, figure)
                names.add(name)
        return names

    def figure(self, name: str, place) -> nodes.figure:
        """A figure node under the page's label."""
        figure = nodes.figure(names=[self.label(name)], classes=["etude"])
        figure.source, figure.line = place.source, place.line
        self.document.note_explicit_target(figure, figure)
        return figure

    def wrap(self, node, name, alt, picture, caption):
        """Turn one cell's output into a figure."""
        bundle = node.parent.parent
        node.children, node.rawsource = [nodes.Text(picture)], picture
        for image in bundle.findall(nodes.image):
            image["alt"] = alt
        figure = self.figure(name, bundle)
        bundle.replace_self(figure)
        figure += [bundle, nodes.caption("", "", *self.markdown(caption))]

    def markdown(self, text):
        """The caption, parsed as MyST."""
        page = new_document(self.document["source"], self.document.settings)
        MystParser().parse(text, page)
        return page.children[0].children


def is_cell(node) -> bool:
    """A code cell of the page."""
    return "cell" in getattr(node, "attributes", {}).get("classes", ())


def require_alt(app, doctree):
    """Warn of every picture that says nothing to whoever cannot see it."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt", "").strip():
            warn(f"picture without alt text: {image['uri']}", image)
    for node in doctree.findall(nodes.raw):
        for match in PICTURE.finditer(node.astext()):
            if not NAMED[match[1]].search(match[0]):
                warn(f"{match[0][:60]} without alt text or aria-label", node)


def warn(text: str, node: nodes.Node) -> None:
    """One warning, which `-W` turns into a failed build."""
    log.warning(text, location=node, type="etude", subtype="alt")


def executed_again(app, env, added, changed, removed):
    """Pages that were executed for another state of the library: read them again."""
    now = execute.read(execute.CACHE / "fingerprints.json")
    before = getattr(env, "press_fingerprints", {})
    env.press_fingerprints = now
    return [page for page in now if page in env.found_docs and now[page] != before.get(page)]


def setup(app):
    """Register the transform, and the list of pages whose cells were not run."""
    app.connect("env-get-outdated", executed_again)
    app.add_config_value("press_unexecuted", [], "env", [list])
    app.add_transform(CellFigures)
    app.connect("doctree-read", require_alt)
