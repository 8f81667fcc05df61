"""The rules of the house find what is planted, and name file and line."""

import pytest

PAGE = "book/formulas/linear_regression.md"
CELL = """
```{{code-cell}} python
from etude.figures import show
show(None, {words})
```
"""


def test_the_house_as_it_stands_has_no_fault(house):
    assert house.faults() == ""


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("_toc.yml", lambda t: t + "      - file: book/formulas/nothing\n", "_toc.yml:"),
        ("_toc.yml", lambda t: "parts: [\n", "_toc.yml:2: does not parse as YAML"),
        ("_toc.yml", lambda t: "format: jb-book\n", "expected root"),
        ("_config.yml", lambda t: t + "\n  bad: [", "does not parse as YAML"),
        ("nbgrader_config.py", lambda t: "c = (\n" + t, "nbgrader_config.py:"),
        ("lib/etude/data/x.py", lambda t: "# Eq. (nowhere)\n", "x.py:1: names equation nowhere"),
        (PAGE, lambda t: t + "\n$$\nx\n$$ (twice)\n\n$$\ny\n$$ (twice)\n", "twice is taken by"),
        (PAGE, lambda t: t + CELL.format(words='name="fig-a", caption="c"'), "has no alt"),
        (PAGE, lambda t: t + CELL.format(words='name="a", alt=" ", caption="c"'), "has no alt"),
        (PAGE, lambda t: t + CELL.format(words='name="a", alt="b"'), "the figure has no caption"),
        (PAGE, lambda t: t.replace("status: complete", "status: draft"), "is a draft"),
        ("book/syllabus.yml", lambda t: t.replace("section: correlation", "section: x"), "#x"),
        ("book/syllabus.yml", lambda t: t.replace("simple.pearson", "simple.none"), "no none"),
        ("lib/etude/data/long.py", lambda t: "x = 1\n" * 251, "has 251 lines, at most 250"),
        (".gitignore", lambda t: t + "lib/\n", "hides lib/"),
        ("requirements.lock", lambda t: t + "torch==2.13.0+cpu\n", "is not a plain name==version"),
        ("environment.yml", lambda t: t.replace("numpy>=2", "numpy>=1"), "pyproject.toml says >=2"),
        ("environment.yml", lambda t: t.replace("conda-forge", "defaults"), "conda-forge alone"),
    ],
)
def test_a_planted_fault_is_found(house, file, change, words):
    house.edit(file, change)
    assert words in house.faults()


def test_a_home_that_is_missing_is_named(house):
    path = house.root / "benchmarks/formulas/linear_regression.py"
    text = path.read_text()
    path.unlink()
    try:
        assert "lacks its benchmark (benchmarks/formulas/linear_regression.py)" in house.faults()
    finally:
        path.write_text(text)


def test_the_place_in_the_contents_is_the_line(house):
    house.edit("_toc.yml", lambda text: text + "      - file: book/formulas/nothing\n")
    number = len((house.root / "_toc.yml").read_text().splitlines())
    expected = f"_toc.yml:{number}: names book/formulas/nothing, but book/formulas/nothing.md"
    assert expected in house.faults()
