"""A chapter begins as a draft in one command, and takes another name in one."""

import re

DRAFT = "further_transformers/electra"
NAME = "formulas/linear_regression"


def test_a_draft_has_its_homes_and_says_what_it_lacks(house):
    written = house.run("-m", "press", "new", "--chapter", DRAFT).stdout
    files = re.findall(r"wrote (\S+)", written)
    try:
        assert {"book/further_transformers/electra.md", "solutions/electra/answers.py"} <= set(
            files
        )
        assert "tests/further_transformers/electra/test_electra.py" in files
        code = "from press import rules; print(rules.drafts())"
        lacking = house.run("-c", code).stdout
        assert f"'{DRAFT}'" in lacking
        assert "a {quiz} on its page" in lacking
        assert "2000 to 4000 words" in lacking
        assert house.faults() == "", "a draft outside the contents is no fault"
        house.edit("_toc.yml", lambda t: t.replace(NAME + "\n", DRAFT + "\n"))
        assert "book/further_transformers/electra.md:1: is a draft" in house.faults()
        again = house.run("-m", "press", "new", "--chapter", DRAFT).stdout
        assert "wrote" not in again, "what an author has begun is never overwritten"
    finally:
        for file in files:
            (house.root / file).unlink()


def test_an_interlude_has_no_assignment_and_no_row_in_the_syllabus(house):
    slug, moved = "mechanisms/tides", "mechanisms/moon_and_tides"
    written = house.run("-m", "press", "new", "--chapter", slug).stdout
    files = re.findall(r"wrote (\S+)", written)
    homes = {f"book/{slug}.md", f"lib/etude/{slug}.py", f"tests/{slug}/test_tides.py"}
    try:
        assert set(files) - {"lib/etude/mechanisms/__init__.py"} == homes
        assert house.faults() == ""
        benchmark = house.root / f"benchmarks/{slug}.py"
        benchmark.parent.mkdir(parents=True, exist_ok=True)
        benchmark.write_text('"""A benchmark, which an interlude may have."""\n')
        house.run("-m", "press", "rename", "--chapter", slug, "--to", moved)
        files = [name.replace(slug, moved) for name in (*files, f"benchmarks/{slug}.py")]
        assert "etude.mechanisms.tides" not in (house.root / f"book/{moved}.md").read_text()
        code = f"from press import rules; print(rules.drafts()[{moved!r}])"
        lacking = house.run("-c", code).stdout
        assert "600 to 1500 words" in lacking
        assert "{claim}" not in lacking, "an interlude quotes no overview"
        assert "solution" not in lacking
    finally:
        for file in files:
            (house.root / file).unlink()


def test_a_chapter_that_the_course_does_not_have_is_an_error(house):
    done = house.run("-m", "press", "new", "--chapter", "formulas/mcm")
    assert done.returncode == 1
    assert "chapter=formulas/mcm: not in book/syllabus.yml" in done.stderr


def test_a_chapter_is_renamed_everywhere_and_back(house):
    def rename(before, after):
        done = house.run("-m", "press", "rename", "--chapter", before, "--to", after)
        assert done.returncode == 0, done.stderr

    page = (house.root / "book/formulas/linear_regression.md").read_text()
    other = "formulas/least_squares_lines"
    rename(NAME, other)
    assert (house.root / "lib/etude/formulas/least_squares_lines/simple.py").exists()
    assert (house.root / "solutions/least_squares_lines/least_squares_lines.py").exists()
    moved = (house.root / f"book/{other}.md").read_text()
    assert "etude.formulas.least_squares_lines" in moved
    assert "formulas.linear_regression" not in moved
    assert f"book/{other}" in (house.root / "_toc.yml").read_text()
    assert house.faults() == ""
    rename(other, NAME)
    assert (house.root / "book/formulas/linear_regression.md").read_text() == page
    assert house.faults() == ""


def test_a_name_that_is_taken_is_refused(house):
    taken = ("rename", "--chapter", NAME, "--to", "formulas/mcmc")
    done = house.run("-m", "press", *taken)
    assert done.returncode == 1
    assert "the name mcmc is taken" in done.stderr
