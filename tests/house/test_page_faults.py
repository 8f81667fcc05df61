"""A page that breaks its contract does not build, and the output says where."""

import pytest

PAGE = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
# Bad

```{code-cell} python
import matplotlib.pyplot as plt
plt.plot([1, 2]);
```

```{code-cell} python
from IPython.display import HTML
HTML('<img src="data:,">')
```

```{figure} _static/favicon.svg
A caption is not an alt text.
```

```{library} nothing
:module: etude.core.shapes
```

```{quiz} No explanation?
- [x] yes
- [ ] no
  Because.
```

```{pitfall} No cure
symptom: a
diagnosis: b
```

A reference to {eq}`nowhere` and to [a page](nowhere.md).

```python
# Eq. (also-nowhere)
```
"""
TOC = """format: jb-book
root: book/index
parts:
  - caption: Pages
    chapters: [{file: book/bad}, {file: book/bibliography}]
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    from tests.house.conftest import Copy

    copy = Copy(tmp_path_factory.mktemp("bad"))
    copy.edit("_toc.yml", lambda text: TOC)
    copy.edit("book/index.md", lambda text: "# Start\n")
    copy.edit("book/bad.md", lambda text: PAGE)
    first, second = (copy.run("-c", "from press import build; build.build()") for _ in range(2))
    return first, second


def test_the_build_fails_and_fails_again(output):
    for done in output:
        assert done.returncode == 1
        assert "the book does not build" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "picture without alt text",
        "<img src=&quot;data:,&quot;> without alt text",
        "etude.core.shapes has no member nothing",
        "needs a right option, and an explanation under every option",
        "expected symptom, diagnosis, cure in this order",
        "code says '# Eq. (also-nowhere)', but no equation has that label",
        "nowhere",
    ],
)
def test_every_planted_fault_is_said(output, words):
    assert words.replace("&quot;", '"') in output[0].stdout
