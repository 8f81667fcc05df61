"""The directives of a chapter: chapter, library, quiz, pitfall, claim."""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.directives.code import container_wrapper
from sphinx.util.docutils import SphinxDirective

from press.page.notebook import export
from press.page.source import quote


def slug(env) -> str:
    """`book/formulas/cnn_layers` → `formulas/cnn_layers`: a chapter's one name."""
    return env.docname.removeprefix("book/")


def raw(html: str) -> nodes.raw:
    """HTML as it is."""
    return nodes.raw("", html, format="html")


class Block(SphinxDirective):
    """A directive whose body is MyST."""

    has_content = True

    def parse(self, lines, titles: bool = False) -> list[nodes.Node]:
        """Parse lines of MyST, with headings where `titles` allows them."""
        box = nodes.container()
        self.state.nested_parse(lines, self.content_offset, box, match_titles=titles)
        return box.children

    def inline(self, text: str) -> nodes.inline:
        """Parse one paragraph of MyST into phrasing content."""
        found = self.parse([text])
        return nodes.inline("", "", *(found[0].children if found else []))


class Chapter(Block):
    """The card under the title. Body: what the reader will be able to do. `:needs:` MyST text."""

    option_spec = {"needs": directives.unchanged_required}

    def run(self):
        """Make the card, and the notebooks that it offers."""
        name, root = slug(self.env), Path(self.env.srcdir)
        notebook = f"_build/notebooks/{name}.ipynb"
        source = Path(self.env.doc2path(self.env.docname))
        export(source, root / notebook, "etude." + name.replace("/", "."))
        files = {
            "Notebook": notebook,
            "Assignment": f"exercises/{name.split('/')[-1]}/{name.split('/')[-1]}.ipynb",
        }
        buttons = nodes.paragraph(classes=["buttons"])
        for label, path in files.items():
            if (root / path).exists():
                link = addnodes.download_reference(reftarget=f"/{path}", classes=["button"])
                link += nodes.inline("", f"{label} (.ipynb)")
                buttons += link
        card = nodes.container(classes=["chapter-card"])
        card += nodes.paragraph("", "After this chapter you can", classes=["card-label"])
        card += self.parse(self.content)
        facts = nodes.paragraph(classes=["facts"])
        needs = self.inline(self.options.get("needs", "nothing"))
        facts += [nodes.strong("", "You need first"), nodes.Text(" "), needs]
        card += [facts, nodes.paragraph(classes=["facts", "cost-here"]), buttons]
        return [card]


class Library(SphinxDirective):
    """Quote members of the chapter's own module, as one listing: ```{library} conv2d max_pool```.

    `:module:` names another module; `Class.method` quotes one method.
    """

    required_arguments, final_argument_whitespace = 1, True
    option_spec = {"module": directives.unchanged_required}

    def run(self):
        """Look the members up by import, so that packages and re-exports work."""
        module = self.options.get("module", "etude." + slug(self.env).replace("/", "."))
        try:
            text, files = quote(module, self.arguments[0].split())
        except (ImportError, AttributeError) as error:
            raise self.error(f"library: {error}") from None
        for file in files:
            self.env.note_dependency(str(file))
        block = nodes.literal_block(text, text, language="python")
        self.set_source_info(block)
        return [container_wrapper(self, block, f"`{module}`")]


class Quiz(Block):
    """A question, options `- [ ]` / `- [x]`, and under each one why it is right or wrong."""

    required_arguments, final_argument_whitespace = 1, True

    def run(self):
        """Make a form that works by keyboard and reads well without scripts."""
        parts = re.split(r"^- \[([ x])\] ", "\n".join(self.content), flags=re.M)
        options = [
            (m == "x", *text.strip().partition("\n")[::2])
            for m, text in zip(parts[1::2], parts[2::2], strict=True)
        ]
        explained = all(why.strip() for *_, why in options)
        if not any(right for right, *_ in options) or not explained:
            raise self.error("quiz: needs a right option, and an explanation under every option")
        number = self.env.new_serialno("quiz") + 1
        kind = "checkbox" if sum(right for right, *_ in options) > 1 else "radio"
        key = f"quiz-{number}"
        out = [
            raw(
                f'<form class="quiz" id="{key}" data-key="{escape(slug(self.env))}:{number}">'
                f'<fieldset><legend><span class="quiz-number">Question {number}</span> '
            ),
            self.inline(" ".join([self.arguments[0], parts[0].strip()])),
            raw("</legend>"),
        ]
        for i, (right, text, why) in enumerate(options):
            item = f"{key}-{i}"
            out += [
                raw(
                    f'<div class="option"><input type="{kind}" name="{key}" id="{item}"'
                    f' value="{i}" aria-describedby="{item}-why"{" data-right" if right else ""}>'
                    f'<label for="{item}">'
                ),
                self.inline(text),
                raw(f'</label><div class="why" id="{item}-why">'),
                *self.parse(why.strip().splitlines()),
                raw("</div></div>"),
            ]
        out.append(
            raw(
                '<div class="quiz-bar"><button type="submit">Check</button>'
                '<p class="verdict" role="status"></p></div></fieldset></form>'
            )
        )
        return [nodes.container("", *out, classes=["quiz-box"])]


class Facets(Block):
    """A box whose body is `key: text` for each key, in order; a missing key fails the build."""

    required_arguments, final_argument_whitespace = 1, True
    facets: dict[str, str] = {}

    def run(self):
        """Make an admonition with one row for each facet."""
        body = "\n".join(self.content)
        parts = re.split(rf"^({'|'.join(self.facets)}): ", body, flags=re.M)
        if parts[1::2] != list(self.facets):
            expected = ", ".join(self.facets)
            raise self.error(f"{self.name}: expected {expected} in this order, got {parts[1::2]}")
        title = nodes.title("", "", *self.inline(self.arguments[0]).children)
        rows = nodes.definition_list()
        for key, text in zip(parts[1::2], parts[2::2], strict=True):
            term = nodes.term("", self.facets[key])
            body = nodes.definition("", *self.parse(text.strip().splitlines()))
            rows += nodes.definition_list_item("", term, body)
        return [nodes.admonition("", title, rows, classes=["facets", self.name])]


class Pitfall(Facets):
    """What goes wrong: symptom, diagnosis, cure."""

    facets = {"symptom": "Symptom", "diagnosis": "Diagnosis", "cure": "Cure"}


class Claim(Facets):
    """What the source overview says, and what is true."""

    facets = {"says": "The overview says", "true": "What is true"}


def setup(app):
    """Register the directives under their names in lower case."""
    for directive in (Chapter, Library, Quiz, Pitfall, Claim):
        app.add_directive(directive.__name__.lower(), directive)
