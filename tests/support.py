"""What several test files share and is no fixture: places, and where PostgreSQL lies."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def initdb() -> Path | None:
    """PostgreSQL's ``initdb``, beside which its server lies; None where it is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).resolve()] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1] if places else None
