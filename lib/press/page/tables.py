"""The tables of the site: the course map, and the table of parity."""

from collections.abc import Iterator

from press.layout import ROOT, chapters, load, syllabus
from press.page.blocks import Block


def course_map() -> Iterator[str]:
    """MyST: every part and chapter of the syllabus, and for each item where it is treated."""
    ready = set(chapters())
    for part in syllabus():
        yield from (f"## {part['title']}", "")
        for chapter in part["chapters"]:
            slug = f"{part['part']}/{chapter['slug']}"
            items = chapter["items"]
            if slug not in ready:
                names = " · ".join(item["name"] for item in items)
                yield from (f"**{chapter['title']}** (in preparation): {names}", "")
                continue
            yield from (f"**[{chapter['title']}](/book/{slug}.md)**", "")
            yield from (
                "| what | explained | implemented | exercised | checked |",
                "|---" * 5 + "|",
            )
            for item in items:
                section = f"[{item['section']}](/book/{slug}.md#{item['section']})"
                symbol = f"{{py:obj}}`{item['symbol'].rpartition('.')[2]} <{item['symbol']}>`"
                test = f"`{item['test'].rpartition('::')[2]}`"
                exercise = f"`{item['exercise']}`"
                yield f"| {item['name']} | {section} | {symbol} | {exercise} | {test} |"
            yield ""


def parity() -> Iterator[str]:
    """MyST: every item that was compared with a reference, and the difference that was measured."""
    rows = load(ROOT / "book" / "parity.yml")
    for slug in dict.fromkeys(row["chapter"] for row in rows):
        title = f"[{slug}](/book/{slug}.md)" if slug in chapters() else slug
        yield from (f"## {title}", "")
        yield from ("| item | reference | tolerance | measured |", "|---|---|---:|---:|")
        for row in rows:
            if row["chapter"] == slug:
                numbers = f"{row['tolerance']:.0e} | {row['measured']:.1e}"
                yield f"| {row['item']} | `{row['reference']}` | {numbers} |"
        yield ""


class Generated(Block):
    """A directive without body, whose MyST is made from a file of data."""

    has_content = False
    source: str

    def lines(self) -> Iterator[str]:
        """The lines of MyST."""
        raise NotImplementedError

    def run(self):
        """Parse the generated MyST in place, headings included."""
        self.env.note_dependency(str(ROOT / "book" / self.source))
        try:
            return self.parse(list(self.lines()), titles=True)
        except KeyError as missing:
            raise self.error(f"book/{self.source}: a row lacks {missing}") from None


class CourseMap(Generated):
    """```{coursemap}```: the syllabus, with links."""

    source = "syllabus.yml"

    def lines(self):
        """The course map."""
        return course_map()


class ParityTable(Generated):
    """```{paritytable}```: the table of parity."""

    source = "parity.yml"

    def lines(self):
        """The rows, by chapter."""
        return parity()


def setup(app):
    """Register the directives under their names in lower case."""
    for directive in (CourseMap, ParityTable):
        app.add_directive(directive.__name__.lower(), directive)
