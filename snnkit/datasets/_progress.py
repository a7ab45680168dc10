"""A progress bar where one is asked for."""

from __future__ import annotations

from typing import Any


def progress_bar(items: Any, text: str, show: bool, total: int | None = None) -> Any:
    if not show:
        return items
    from tqdm import tqdm

    return tqdm(items, desc=text, total=len(items) if total is None else total)
