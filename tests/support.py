"""What several test files share and is no fixture: places, the list of pages, Chromium's path."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "site"


def chromium() -> str | None:
    """Path of a Chromium to drive, or None."""
    named = os.environ.get("CHROMIUM")
    return named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


def pages() -> list[str]:
    """Every page of the site, as the table of contents names it, by its path within the site."""

    def files(node: object) -> list[str]:
        if isinstance(node, list):
            return [name for item in node for name in files(item)]
        if isinstance(node, dict):
            own = [node[key] for key in ("root", "file") if key in node]
            if "glob" in node:
                own += sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(node["glob"]))
            return own + [name for value in node.values() for name in files(value)]
        return []

    names = files(yaml.safe_load((ROOT / "_toc.yml").read_text()))
    return [str(Path(name).with_suffix("")) + ".html" for name in dict.fromkeys(names)]
