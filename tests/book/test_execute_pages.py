"""Pages are executed side by side into the build's cache; what fails is left to the build."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyter_cache import get_cache

from tools import execute_pages

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A page

```{code-cell} ipython3
"""


@pytest.mark.slow
def test_pages_are_executed_once_and_failures_are_left_to_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute_pages, "ROOT", tmp_path)
    book = tmp_path / "book"
    book.mkdir()
    (book / "good.md").write_text(f"{HEAD}print(6 * 7)\n```\n", encoding="utf-8")
    (book / "bad.md").write_text(f"{HEAD}1 / 0\n```\n", encoding="utf-8")
    (book / "plain.md").write_text("# No code\n", encoding="utf-8")
    (tmp_path / "_toc.yml").write_text(
        "root: book/good\nchapters:\n  - file: book/bad\n  - file: book/plain\n", encoding="utf-8"
    )
    assert [page.name for page in execute_pages.pages()] == ["good.md", "bad.md"]
    folder = tmp_path / "cache"
    assert execute_pages.execute(folder, 2, 60) == 1
    assert execute_pages.execute(folder, 1, 60) == 0
    cache = get_cache(str(folder))
    record = cache.match_cache_notebook(execute_pages.notebook_of(book / "good.md"))
    (cell,) = cache.get_cache_bundle(record.pk).nb.cells
    assert cell.outputs[0].text == "42\n"
    with pytest.raises(KeyError):
        cache.match_cache_notebook(execute_pages.notebook_of(book / "bad.md"))


def test_every_page_with_code_is_among_them() -> None:
    names = {page.stem for page in execute_pages.pages()}
    assert {"index", "lif", "dspike", "unevenness", "deep", "results"} <= names
    for page in execute_pages.pages():
        cells = [cell for cell in execute_pages.notebook_of(page).cells if cell.cell_type == "code"]
        assert len(cells) == page.read_text(encoding="utf-8").count("```{code-cell}")
