"""The assignments keep the house's form, and each fault that can be planted is found, with file and line."""

import re

import jupytext
import pytest

from proctor import form
from proctor.assignment import read
from proctor.exercise import capitalized
from tests.proctor.support import OWN, ROOT, SMALL, TEXTS, assignment

TEXT, ANSWERS = "solutions/small/small.py", "solutions/small/answers.py"


@pytest.mark.parametrize("name", TEXTS)
def test_an_assignment_is_in_order(name):
    course = ROOT if name in OWN else SMALL
    assert form.faults_of(assignment(name), course) == []


@pytest.mark.parametrize("name", TEXTS)
def test_our_reader_of_texts_agrees_with_jupytext(name):
    ours, theirs = assignment(name).cells, jupytext.read(TEXTS[name]).cells
    assert [(c.kind, c.source) for c in ours] == [(c.cell_type, c.source) for c in theirs]
    kept = [{k: v for k, v in c.metadata.items() if k in ("nbgrader", "tags")} for c in theirs]
    assert [c.metadata for c in ours] == kept


CHECK = '"grade_id": "rms_pool-check", "locked": true, "points": 5'
PLANTED = {
    "mark forgotten": (
        TEXT,
        "### END HIDDEN TESTS\ntask.mark()",
        "### END HIDDEN TESTS",
        "ends with `task.mark",
    ),
    "mark hidden": (
        TEXT,
        "### END HIDDEN TESTS\ntask.mark()",
        "task.mark()\n### END HIDDEN TESTS",
        "ends with `task.mark",
    ),
    "points of the metadata": (TEXT, CHECK, CHECK[:-1] + "4", "nbgrader's metadata say 4"),
    "points of a check": (TEXT, "@task(1.5)", "@task(1.25)", "the checks are worth 4.75"),
    "points said twice": (
        TEXT,
        'Task("rms_pool", points=5',
        'Task("rms_pool", points=4',
        "Task(points=4)",
    ),
    "visible check too dear": (
        TEXT,
        "@task(0.5)\ndef the_worked",
        "@task(1.5)\ndef the_worked",
        "at most a fifth",
    ),
    "points typed": (
        TEXT,
        "15 minutes · {{points}}",
        "15 minutes · 5 points",
        "a task begins with",
    ),
    "tests not listed": (TEXT, "*Tested:* {{tested}}.", "*Tested:* all.", "lacks `*Tested:*"),
    "unknown placeholder": (
        TEXT,
        "*Why it matters:* max",
        "*Why it matters:* {{points_}} max",
        "is no placeholder",
    ),
    "a hint gives a line away": (
        TEXT,
        "# Two window sums answer it",
        "# silent = mean == 0\n# Two window",
        "gives away a line",
    ),
    "the helper bypassed": (
        TEXT,
        "### END HIDDEN TESTS\ntask",
        "### END HIDDEN TESTS\nassert rms_pool\ntask",
        "bypasses the helper",
    ),
    "computing outside functions": (
        TEXT,
        "def share(came, right):",
        "LIMIT = abs(-1)\n\n\ndef share(came, right):",
        "computes only inside",
    ),
    "a decorator of its own": (
        TEXT,
        "def share(came, right):",
        "@torch.no_grad()\ndef share(came, right):",
        "a function is a helper",
    ),
    "a check that calls nothing": (
        TEXT,
        "    task.tidy(rms_pool, task.randn(2, 2, 6, 6), 3, 2)",
        "    task.tidy(abs, 3)",
        "does not call rms_pool",
    ),
    "a lambda around the student": (
        TEXT,
        "    task.tidy(rms_pool, task",
        "    (lambda: rms_pool(1, 2))()\n    task.tidy(rms_pool, task",
        "in a lambda",
    ),
    "the student passed on": (
        TEXT,
        "    task.tidy(rms_pool, task",
        "    map(str, [rms_pool])\n    task.tidy(rms_pool, task",
        "passes rms_pool on",
    ),
    "backward in a check": (
        TEXT,
        "    task.tidy(rms_pool, task",
        "    rms_pool(1, 2).backward()\n    task.tidy(rms_pool, task",
        "calls backward",
    ),
    "a silent check": (
        TEXT,
        '    """Pad with zeros, and divide by the number of real pixels under each window."""\n',
        "",
        "says nothing when it fails",
    ),
    "needs a later check": (
        TEXT,
        '@task(1, needs="any_size_and_stride")\ndef a_padded',
        '@task(1, needs="tidiness")\ndef a_padded',
        "is no earlier check",
    ),
    "a misconception without a function": (
        TEXT,
        "@task.misconception(0)\ndef no_root",
        "def no_root",
        "has no function",
    ),
    "a misconception without a sentence": (
        TEXT,
        '    "no_root": "this is the mean of the squares: the root is missing",\n',
        "",
        "says no_root",
    ),
    "a misconception that loses nothing": (
        TEXT,
        "@task.misconception(3)\ndef padding",
        "@task.misconception(5)\ndef padding",
        "that is no loss",
    ),
    "a misconception of another shape": (
        TEXT,
        "def no_root(x, size, stride=None, padding=0)",
        "def no_root(x, size)",
        "another signature",
    ),
    "an unknown key": (
        TEXT,
        '{"no_mean": 5.0',
        '{"no_men": 5.0',
        "names the misconception 'no_men'",
    ),
    "an address without an anchor": (
        TEXT,
        'read="formulas/cnn_layers#pooling"',
        'read="formulas/cnn_layers"',
        "is no `slug#anchor`",
    ),
    "a heading that is not there": (
        TEXT,
        'read="formulas/cnn_layers#pooling"',
        'read="part/page#nowhere"',
        "has no heading `nowhere`",
    ),
    "ids twice": (
        TEXT,
        '"grade_id": "standardize",',
        '"grade_id": "rms_pool",',
        "is already that of line",
    ),
    "an unlocked check": (
        TEXT,
        '"grade_id": "classify-check", "locked": true',
        '"grade_id": "classify-check", "locked": false',
        "locked should be True",
    ),
    "no region": (TEXT, "    ### BEGIN SOLUTION\n    step", "    step", "has one region"),
    "a stub without types": (
        TEXT,
        "def rms_pool(x: torch.Tensor, size: int,",
        "def rms_pool(x, size: int,",
        "needs the types",
    ),
    "a stub without shapes": (
        TEXT,
        '    """The columns in their old units."""\n',
        "",
        "needs a docstring",
    ),
    "a hint short": (
        TEXT,
        "Hint 3: pseudo-code</summary>\n#\n# squares",
        "Hint: pseudo-code</summary>\n#\n# squares",
        "lacks `Hint 3`",
    ),
    "a long prompt": (
        TEXT,
        "**Task.** Train",
        "**Task.** " + "word " * 110 + "Train",
        "words, at most 120",
    ),
    "no rubric": (TEXT, "**Rubric.**", "Points:", "lacks `**Rubric`"),
    "no prediction": (
        TEXT,
        "**Predict first.** Which line",
        "Which line",
        "lacks `**Predict first.**`",
    ),
    "points in all": (
        TEXT,
        '"grade_id": "explain", "locked": false, "points": 5',
        '"grade_id": "explain", "locked": false, "points": 6',
        "21 points in all",
    ),
    "a graded cell that is no Python": (
        TEXT,
        "@task(1.5)\ndef any_size_and_stride():",
        "@task(1.5)\ndef any_size_and_stride()",
        "cannot be read",
    ),
    "metadata that are no JSON": (
        TEXT,
        '{"grade": false, "grade_id": "rms_pool"',
        '{"grade" false, "grade_id": "rms_pool"',
        "no JSON",
    ),
    "an optimizer steps the student's parameters": (
        TEXT,
        "        x, y = clouds(200, shift)\n",
        "        x, y = clouds(200, shift)\n        torch.optim.SGD([x], lr=1)\n",
        "would step copies",
    ),
    "the student's source is read": (
        TEXT,
        "        x, y = clouds(200, shift)\n",
        "        x, y = clouds(200, shift)\n        inspect.getsource(classify)\n",
        "source of a student's function does not cross",
    ),
    "a name of the student's is replaced": (
        TEXT,
        "        x, y = clouds(200, shift)\n",
        "        x, y = clouds(200, shift)\n        classify = len\n",
        "replaced only on this side",
    ),
    "a class of the student's is a base": (
        TEXT,
        "def share(came, right):\n",
        "def share(came, right):\n    class Better(classify): pass\n",
        "cannot be a base",
    ),
    "a module is passed in": (
        TEXT,
        "        x, y = clouds(200, shift)\n",
        "        x, y = clouds(200, shift)\n        net = torch.nn.Linear(2, 1)\n        classify(net, x, y)\n",
        "without gradients: pass tensors",
    ),
    "too few right answers": (
        ANSWERS,
        "# %% standardize, right: column",
        "# %% classify, right: column",
        "standardize has 1 right",
    ),
    "an answer for nobody": (
        ANSWERS,
        "# %% classify, wrong: guesses",
        "# %% clasify, wrong: guesses",
        "with an exercise of",
    ),
    "a wrong answer with all points": (
        ANSWERS,
        "# 4.5 points: an argument",
        "# 5 points: an argument",
        "cannot deserve",
    ),
    "a wrong answer without words": (ANSWERS, "# 0 points: labels\n", "", "cannot deserve"),
    "a change of nothing": (
        ANSWERS,
        "# instead of: bias = bias - 0.5",
        "# instead of: bias = bais - 0.5",
        "the solution has 0 ×",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(course, fault):
    name, old, new, words = PLANTED[fault]
    (course / "book/part").mkdir(parents=True)
    (course / "book/part/page.md").write_text("# A page\n\n## Here\n")
    path = course / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    found = form.faults(course)
    assert any(words in line for line in found), found
    assert all(re.match(r"[\w/.]+:\d+: ", line) for line in found)


def test_answers_must_be_there_and_wrong_ones_too(course):
    (course / ANSWERS).unlink()
    assert any("missing: the answers" in line for line in form.faults(course))
    (course / ANSWERS).write_text('"""Nothing wrong."""\n')
    found = form.faults(course)
    assert any("needs 5" in line for line in found)
    assert any("needs 2" in line for line in found)


def test_a_second_exercise_by_hand_and_a_text_without_cells(course):
    text = (course / TEXT).read_text()
    by_hand = text[text.index("# %% [markdown]\n# ## 4") :].replace('"explain"', '"explain_more"')
    (course / TEXT).write_text(text + "\n" + by_hand)
    assert any("a second exercise graded by hand" in line for line in form.faults(course))
    (course / TEXT).write_text("nothing\n")
    assert "no cell" in form.faults(course)[0]


def test_a_page_is_addressed_by_heading_or_label():
    page = "# Inverse prediction: *Fieller*\n\n(here)=\n## What `x` was\n\n```\n# no heading\n```\n"
    assert form.text.anchors(page) == {"inverse-prediction-fieller", "here", "what-x-was"}


def test_a_symptom_begins_like_a_sentence_unless_with_a_symbol():
    words = "the root is missing", "a cell, dark", "column’s mean"
    assert [capitalized(w)[0] for w in words] == ["T", "A", "C"]
    for word in "s² grew", "x̄ moved", "r was", "1.96 came", "`exp` of x", "s_x was", "σ²/m is":
        assert capitalized(word) == word


def test_what_is_counted_stands_in_the_notebook():
    cells = assignment("small").filled()
    text = "\n".join(cell.source for cell in cells if cell.kind == "markdown")
    assert "20 points, about 60 minutes" in text
    assert "15 minutes · 5 points" in text
    assert "the worked example (0.5) · any size and stride (1.5)" in text
    assert "- This is the mean of the squares: the root is missing." in text
    assert "{{" not in text
    assert "{{tested}}" in read(TEXTS["small"]).path.read_text()
