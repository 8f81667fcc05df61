"""After an edit exactly the pages run again whose cells, or whose modules, have changed."""

import json

import pytest

TOC = """format: jb-book
root: book/index
parts:
  - caption: Pages
    chapters: [{file: book/drawing}, {file: book/shaping}]
"""
PAGE = """---
file_format: mystnb
kernelspec: {{name: python3, display_name: Python 3}}
---
# A page

```{{code-cell}} python
{source}
```
"""
RUN = """
import json
from press import execute
ran = []
real = execute.run
execute.run = lambda path, timeout: ran.append(path.rpartition('/')[2]) or real(path, timeout)
execute.execute(execute.notebooks(), jobs=2)
print('ran:' + json.dumps(sorted(ran)))
"""


@pytest.fixture
def pages(house):
    """Two pages that share no module but the empty package."""
    house.edit("_toc.yml", lambda text: TOC)
    drawing, shaping = "from etude.figures import table", "from etude.core.shapes import bind"
    house.edit("book/drawing.md", lambda text: PAGE.format(source=drawing))
    house.edit("book/shaping.md", lambda text: PAGE.format(source=shaping))

    def ran():
        done = house.run("-c", RUN)
        assert "ran:" in done.stdout, done.stderr
        return json.loads(done.stdout.partition("ran:")[2])

    return house, ran


def test_edits_run_again_what_they_touch_and_nothing_else(pages):
    house, ran = pages
    assert ran() == ["drawing.md", "shaping.md"]
    assert ran() == []

    house.edit("book/drawing.md", lambda text: text + "\nMore prose.\n")
    assert ran() == [], "prose"

    house.edit("lib/etude/core/learner.py", lambda text: text + "\n# A comment.\n")
    assert ran() == [], "a module that no page imports"

    house.edit("lib/etude/figures/svg.py", lambda text: text + "\n# A comment.\n")
    assert ran() == ["drawing.md"], "a module that is imported indirectly"

    house.edit("lib/etude/figures/player.js", lambda text: text + "\n// A comment.\n")
    assert ran() == ["drawing.md"], "a file beside a module"

    house.edit("book/shaping.md", lambda text: text.replace("import bind", "import bind as b"))
    assert ran() == ["shaping.md"], "its own cells"

    house.edit("requirements.lock", lambda text: text + "zzz==1\n")
    assert ran() == ["drawing.md", "shaping.md"], "another version of some package"


def test_a_cell_that_fails_is_named_with_its_traceback(pages):
    house, _ = pages
    house.edit("book/shaping.md", lambda text: PAGE.format(source="1 / 0"))
    done = house.run("-c", "from press import execute; execute.execute(execute.notebooks())")
    assert "book/shaping.md:1: a cell failed" in done.stderr
    assert "ZeroDivisionError" in done.stderr
