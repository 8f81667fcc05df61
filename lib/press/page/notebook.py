"""Write a chapter as a notebook that reads well in JupyterLab, where our directives are unknown."""

import re
from pathlib import Path

import nbformat
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import DocutilsRenderer
from myst_parser.parsers.mdit import create_md_parser

from press.page.source import quote

EXTENSIONS = {"colon_fence", "dollarmath", "deflist", "attrs_inline"}
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
BLOCKS = ("fence", "colon_fence", "math_block_label")
FACETS = "symptom|diagnosis|cure|says|true"
PARSER = create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), DocutilsRenderer)


def directive(token: Token) -> tuple[str, str] | None:
    """Name and argument of a fence that is a directive."""
    match = re.fullmatch(r"\{([\w:-]+)\}\s*(.*)", token.info.strip())
    return (match[1], match[2]) if match else None


def split_options(body: str) -> tuple[dict[str, str], str]:
    """The `:key: value` lines on top of a directive's body, and the rest."""
    options, lines = {}, body.splitlines()
    while lines and (match := re.fullmatch(r":([\w-]+):\s*(.*)", lines[0])):
        options[match[1]] = match[2]
        lines.pop(0)
    return options, "\n".join(lines).strip()


def plain(name: str, title: str, body: str, module: str) -> str:
    """One directive as ordinary Markdown."""
    options, body = split_options(body)
    if name == "library":
        source, _ = quote(options.get("module", module), title.split())
        return f"```python\n{source}\n```"
    if name == "math":
        return f"$$\n{body}\n$$"
    if name in ("bibliography", "index", "contents"):
        return ""
    if name == "quiz":
        why = r"- \1\n\n  <details><summary>why</summary>\n\n\2\n  </details>\n"
        body = re.sub(r"^- \[.\] (.*)\n((?:  .*(?:\n|$))+)", why, body + "\n", flags=re.M)
        return f"**Quiz.** {title}\n\n{markdown(body, module)}"
    body = re.sub(rf"^({FACETS}): ", lambda m: f"\n*{m[1].capitalize()}:* ", body, flags=re.M)
    body = markdown(body, module)
    if name == "chapter":
        return f"**After this chapter you can**\n\n{body}"
    if name == "dropdown":
        return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
    return "\n".join(f"> {line}".rstrip() for line in f"**{title}**\n\n{body}".splitlines())


def markdown(text: str, module: str) -> str:
    """MyST as ordinary Markdown: each block by its place in the token tree, prose by its roles."""
    lines, out, end = text.splitlines(), [], 0
    for node in SyntaxTreeNode(PARSER.parse(text)).children:
        if node.type not in BLOCKS or not node.map or not node.token:
            continue
        start, stop = node.map
        out.append(roles("\n".join(lines[end:start])))
        block = "\n".join(lines[start:stop])
        end = stop
        if node.type == "math_block_label":
            out.append(re.sub(r"\n?\$\$ *\(([\w.-]+)\)\s*$", r" \\tag{\1}\n$$", block))
        elif found := directive(node.token):
            out.append(plain(*found, node.content, module))
        else:
            out.append(block)
    out.append(roles("\n".join(lines[end:])))
    return "\n".join(out).strip()


def roles(text: str) -> str:
    """Prose with its roles as text, and without targets."""
    text = re.sub(r"^\(([\w-]+)\)=$\n?", "", text, flags=re.M)
    text = re.sub(r"\{(eq|numref|cite:?\w*)\}`([^`]*)`", r"(\2)", text)
    return re.sub(r"\{[\w:]+\}`([^`<]*?)( *<[^`]*>)?`", r"\1", text)


def export(source: Path, target: Path, module: str) -> None:
    """Write the chapter `source` as the notebook `target`, without outputs."""
    book = read_myst_markdown_notebook(source.read_text("utf8"))
    for number, cell in enumerate(book.cells):
        if cell.cell_type == "markdown":
            cell.source = markdown(cell.source, module)
        cell["id"] = f"cell-{number}"
    book.metadata = {"kernelspec": KERNEL}
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, target)
