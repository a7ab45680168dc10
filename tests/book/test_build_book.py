"""What a build forgets of the one before."""

import pytest

from tools import build_book


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ("pages", {"html", ".doctrees", ".jupyter_cache"}),
        ("static", {".doctrees", ".jupyter_cache"}),
        ("layout", {".jupyter_cache"}),
        ("code", set()),
    ],
)
def test_a_change_forgets_what_depends_on_it_and_nothing_else(tmp_path, changed, left):
    for name in ("html", ".doctrees", ".jupyter_cache"):
        (tmp_path / name).mkdir()
    found = dict.fromkeys(("code", "pages", "layout", "static"), "before")
    build_book._forget(tmp_path, found | {changed: "after"}, found)
    assert {path.name for path in tmp_path.glob("*")} == left


def test_style_sheets_and_pages_are_told_apart(tmp_path, monkeypatch):
    for name in ("book/_static/course.css", "book/page.md", "_toc.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    monkeypatch.setattr(build_book, "ROOT", tmp_path)
    before = build_book._state()
    (tmp_path / "book/page.md").write_text("after")
    page = build_book._state()
    assert page["static"] == before["static"]
    assert page["pages"] != before["pages"]
    (tmp_path / "book/_static/course.css").write_text("after")
    assert build_book._state()["static"] != page["static"]
