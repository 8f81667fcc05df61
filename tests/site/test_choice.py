"""Which pages are proven whole: a new look never goes unproven."""

from tests.site import pages
from tests.site.pages import looks


def page(body):
    return f'<html><p class="elsewhere">menu</p><article class="bd">{body}</article></html>'


def test_a_look_is_a_kind_of_element_or_a_color():
    plain = looks(page('<p>text</p><p class="a b">text</p>'))
    assert plain == {("article", "bd"), ("p", ""), ("p", "a"), ("p", "b")}
    assert looks(page('<p>text</p><p class="a b">other</p>')) == plain
    assert looks(page('<b class="a">text</b>')) - plain == {("b", "a")}
    assert ("fill", "#123") in looks(page('<path fill="#123"/>'))
    assert ("color", "#456") in looks(page('<p style="margin: 0; color: #456">x</p>'))


def test_a_page_with_a_new_look_is_proven_whole_and_one_without_is_not(tmp_path, monkeypatch):
    bodies = {"first": "<p>1</p>", "same": "<p>2</p>", "new": '<p class="loud">3</p>'}
    for name, body in bodies.items():
        (tmp_path / f"{name}.html").write_text(page(body))
    monkeypatch.setattr(pages, "ONLY", "")
    monkeypatch.setattr(pages, "FIXED", [])
    monkeypatch.setattr(pages, "chapters", lambda: [f"{name}.html" for name in bodies])
    assert pages.whole.__wrapped__(tmp_path) == ["first.html", "new.html"]


def test_some_pages_are_proven_whole_and_the_first_chapter_is_one():
    chapters = [at for at in pages.whole() if at in pages.chapters()]
    assert chapters[:1] == pages.chapters()[:1]
