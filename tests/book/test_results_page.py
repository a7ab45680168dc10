"""The page of results shows every result file, with its provenance, a table, a figure and a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "experiments" / "results").glob("*.json"))
SECTIONS = {
    name: section
    for section in re.split(
        r"^\(res-", (ROOT / "book" / "reference" / "results.md").read_text(encoding="utf-8"), flags=re.M
    )
    for name in re.findall(r"```\{provenance\} (\w+)", section)
}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_result_is_shown(path: Path) -> None:
    section = SECTIONS[path.stem]
    assert f'rows_of("{path.stem}")' in section
    assert re.search(r"^plot\.Table\(", section, flags=re.M)
    assert "plt.show()" in section
    after = section.rsplit("plt.show()\n```\n", 1)[1]
    assert re.search(r"^[A-Z][^\n]{40,}", after.strip()), "a sentence that reads the result"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_result_says_where_it_comes_from(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))["provenance"]
    assert set(record) >= {
        "seed", "data_sha256", "settings", "versions", "hardware", "wall_time_s", "command", "finished",
    }  # fmt: skip
    assert record["data_sha256"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in record["data_sha256"].values())
    assert record["command"].startswith("python -m experiments.")
    assert (ROOT / "experiments" / f"{record['command'].split('.')[-1].split()[0]}.py").is_file()
    assert record["wall_time_s"] > 0
