"""What several test files share and is no fixture: places, the list of pages, the paths of Chromium and PostgreSQL."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.make_pdf import chromium, pages

__all__ = ["ROOT", "SITE", "chromium", "initdb", "pages"]

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "site"


def initdb() -> Path | None:
    """PostgreSQL's ``initdb``, beside which its server lies; None where it is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).resolve()] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1] if places else None
