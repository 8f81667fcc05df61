"""The Sphinx extension of the book: what a chapter's page needs beyond Jupyter Book."""

import gc

from press.page import api, blocks, equations, figures, tables


def preload(app, pagename, templatename, context, doctree):
    """Ask for the text face at once, so that the first paint already has it."""
    for font in ("source-serif-4-latin-wght-normal", "source-code-pro-latin-wght-normal"):
        href = context["pathto"](f"_static/vendor/fonts/{font}.woff2", resource=True)
        tag = f'<link rel="preload" as="font" type="font/woff2" href="{href}" crossorigin>\n'
        context["metatags"] = context.get("metatags", "") + tag


def bibliography_roles(app, pagename, templatename, context, doctree):
    """Say list and list items: docutils gives bibliographies roles that ARIA has dropped."""
    if "body" in context:
        context["body"] = context["body"].replace(' role="doc-biblioentry"', ' role="listitem"')


def rest(app, env):
    """Let the garbage collector rest while Sphinx reads back the trees of all pages to number figures.

    It would walk them all again and again: with 47 chapters, most of the time of a build.
    """
    gc.disable()


def wake(app, env):
    """Let it work again before the pages are written."""
    gc.enable()


def setup(app):
    """Register every part."""
    gc.set_threshold(200_000, 20, 100)
    for part in (blocks, equations, figures, tables, api):
        part.setup(app)
    app.connect("env-updated", rest)
    app.connect("env-check-consistency", wake)
    app.connect("html-page-context", preload)
    app.connect("html-page-context", bibliography_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
