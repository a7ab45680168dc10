"""The problem set on conversion: its solution runs in a kernel, its samples get what they must."""

from __future__ import annotations

from autograder.source import solution_notebook

PS = "ps4_conversion"


def cell(root, name):
    (found,) = [c for c in solution_notebook(root, PS).cells if c.id == name]
    return found.source


def test_deep_table_is_shown_where_it_is_and_is_not_needed(root, tmp_path, monkeypatch, capsys):
    """The course's own results beside the student's: below the course's folder, and in an empty one."""
    given = "import json\nfrom pathlib import Path\n" + cell(root, "deep_network")
    monkeypatch.chdir(root / "exercises")
    exec(given, {})
    shown = capsys.readouterr().out
    assert "ResNet-20, trained network 91.5%" in shown
    assert "adaptive + BC, per channel, v0" in shown
    monkeypatch.chdir(tmp_path)
    exec(given, {})
    assert "not in a folder above this notebook" in capsys.readouterr().out
