"""What several test files share and is no fixture: places, the list of pages, Chromium's path."""

from __future__ import annotations

from pathlib import Path

from tools.make_pdf import chromium, pages

__all__ = ["ROOT", "SITE", "chromium", "pages"]

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "site"
