"""The pages of the book, in the order of its table of contents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def contents(root: Path = ROOT) -> list[str]:
    """Every page of the contents of ``root``, by its path without the ending."""

    def files(node: object) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from files(item)
        elif isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            if "glob" in node:
                yield from sorted(str(path.relative_to(root)) for path in root.glob(node["glob"]))
            for value in node.values():
                yield from files(value)

    names = files(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))
    return [str(Path(name).with_suffix("")) for name in dict.fromkeys(names)]


def pages(root: Path = ROOT) -> list[str]:
    """Every page of the site in the order of the table of contents, by its path within the site."""
    return [f"{name}.html" for name in contents(root)]
