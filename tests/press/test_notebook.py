"""A chapter as a notebook reads well where our directives are unknown."""

import nbformat
import pytest

from press.page import notebook

MODULE = "etude.core.shapes"


def test_an_equation_keeps_its_label_as_a_tag():
    text = notebook.markdown("so\n\n$$\ny = x\n$$ (line)\n\nand {eq}`line`.", MODULE)
    assert text == "so\n\n$$\ny = x \\tag{line}\n$$\n\nand (line)."


def test_directives_inside_directives_are_turned_too():
    inner = "```{library} bind\n```"
    text = notebook.markdown(f"````{{dropdown}} Hint\n{inner}\n````", MODULE)
    assert text.startswith("<details><summary>Hint</summary>")
    assert "```python\ndef bind(" in text


def test_code_spans_and_plain_fences_stay():
    text = "```python\n$$ (label)\n```"
    assert notebook.markdown(text, MODULE) == text


def test_a_quiz_folds_its_explanations():
    quiz = "```{quiz} Two and two?\n- [x] four\n  Count.\n- [ ] five\n  No.\n```"
    text = notebook.markdown(quiz, MODULE)
    assert text.startswith("**Quiz.** Two and two?")
    assert text.count("<details><summary>why</summary>") == 2
    assert "[x]" not in text


def test_a_pitfall_is_a_quotation_with_its_three_lines():
    text = notebook.markdown("```{pitfall} Oh\nsymptom: a\ndiagnosis: b\ncure: c\n```", MODULE)
    assert text.startswith("> **Oh**")
    assert all(f"> *{word}:*" in text for word in ("Symptom", "Diagnosis", "Cure"))


def test_a_member_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError, match="has no member nothing"):
        notebook.markdown("```{library} nothing\n```", MODULE)


def test_an_exported_notebook_is_valid_and_holds_no_directive(tmp_path):
    from press.layout import ROOT, chapters, homes

    for slug in chapters():
        target = tmp_path / "chapter.ipynb"
        notebook.export(homes(slug)["page"], target, "etude." + slug.replace("/", "."))
        book = nbformat.read(target, as_version=4)
        nbformat.validate(book)
        prose = "\n".join(c.source for c in book.cells if c.cell_type == "markdown")
        assert "```{" not in prose, ROOT
        assert "{eq}" not in prose
        assert len([c for c in book.cells if c.cell_type == "code"]) > 3
