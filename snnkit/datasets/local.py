"""Finding data sets on disk, downloading them, and splitting them the same way every time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkit._validate import require_in
from snnkit.datasets.catalogue import DatasetInfo, describe

__all__ = [
    "ENVIRONMENT",
    "DataError",
    "DataNotFoundError",
    "available",
    "cache_root",
    "choose",
    "data_root",
    "fetch",
    "find",
    "require_part",
    "stratified_split",
]

ENVIRONMENT = "SNNKIT_DATA"


class DataError(ValueError):
    """Data that are there but cannot be used; the message says what, where and what to do."""


class DataNotFoundError(FileNotFoundError):
    """Data that are not there; the message says where they were looked for and what to do."""


def data_root() -> Path | None:
    """Return the folder that ``SNNKIT_DATA`` names, or None when it is not set.

    Returns:
        An existing folder, or None.

    Raises:
        DataNotFoundError: if the variable names something that is not a folder.

    Source: the course.
    """
    named = os.environ.get(ENVIRONMENT)
    if not named:
        return None
    root = Path(named).expanduser()
    if not root.is_dir():
        raise DataNotFoundError(f"{ENVIRONMENT} is {named!r}, which is not a folder; correct it or unset it")
    return root


def cache_root() -> Path:
    """Return the folder that :func:`fetch` fills: ``SNNKIT_CACHE``, or the user's cache folder.

    Returns:
        A path that need not exist yet.

    Source: the course; pooch for the place by operating system.
    """
    named = os.environ.get("SNNKIT_CACHE")
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("snnkit"))


def available(name: str, root: str | Path | None = None) -> Path | None:
    """Return the folder that holds a data set's own files, or None when it is not there.

    ``name`` is that of its loader; looked for in ``root``, or else under ``SNNKIT_DATA``, then in the cache.

    Raises:
        DataNotFoundError: if ``root``, or what ``SNNKIT_DATA`` names, is not a folder.
        ValueError: if there is no such data set or it needs no files.
    """
    info = describe(name)
    if info.embedded:
        raise ValueError(f"{name} needs no files; call snnkit.datasets.{name}()")
    for place in _places(info, root):
        if any(next(place.glob(pattern), None) is not None for pattern in info.patterns):
            return place
    return None


def find(name: str, root: str | Path | None = None) -> Path:
    """Return the folder that holds a data set.

    Args:
        name: Name of the loader, e.g. ``"mnist"``.
        root: Where to look; by default the folder of ``SNNKIT_DATA``, then the cache.

    Returns:
        The folder with the data set's own files.

    Raises:
        DataNotFoundError: if it is not there; says where it was looked for and what to do.
        ValueError: if there is no such data set or it needs no files.

    Source: the course.
    """
    found = available(name, root)
    if found is not None:
        return found
    info = describe(name)
    if root is not None:
        advice = f"pass a folder that contains one of {', '.join(info.patterns)}"
    elif info.downloads:
        advice = (
            f"run 'snnkit data fetch {name}', or set {ENVIRONMENT} to a folder with {info.folders[0]}/ in it"
        )
    else:
        advice = f"get it from {info.source} and set {ENVIRONMENT} to a folder with {info.folders[0]}/ in it"
    where = str(root) if root is not None else " or ".join(str(base) for base in _bases())
    raise DataNotFoundError(f"{info.title} was not found in {where}; {advice}")


def fetch(name: str, to: str | Path | None = None, progress: bool = True) -> Path:
    """Download a data set from its publisher and check the files' MD5 sums.

    Files that are there already and have the right sum are kept. A file appears under its name only when complete.

    Args:
        name: Name of the loader.
        to: Folder in which the data set's own folder is made; by default the cache.
        progress: Whether to show a progress bar.

    Returns:
        The folder with the files.

    Raises:
        ValueError: if the data set is embedded or its publisher does not allow direct downloads.
        DataError: if the server cannot be reached or a file has another checksum.

    Source: the publishers' servers, see ``snnkit data info NAME``.
    """
    info = describe(name)
    if info.embedded:
        raise ValueError(f"{name} needs no download; call snnkit.datasets.{name}()")
    if not info.downloads:
        raise ValueError(
            f"{info.title} cannot be downloaded directly: get it from {info.source} ({info.note})"
        )
    import pooch

    folder = (Path(to).expanduser() if to is not None else cache_root()) / info.folders[0]
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    for item in info.downloads:
        try:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(
                    item.url, f"md5:{item.md5}", fname=item.file, path=folder, progressbar=progress
                )
        except (OSError, ValueError) as problem:  # requests' errors are OSErrors
            for place in made:
                if place.is_dir() and not any(place.iterdir()):
                    place.rmdir()
            raise DataError(
                f"could not fetch {item.url}: {_reason(problem)}; check the network, or put the file into {folder} "
                f"by hand as {item.file}"
            ) from problem
    return folder


def stratified_split(labels: ArrayLike, held_out: float, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Split samples so that each class gives the same share; the same seed gives the same split everywhere.

    Args:
        labels: Class of each sample ``[N]``.
        held_out: Share of each class to hold out, in [0, 1]; the number is rounded to the nearest whole.
        seed: Seed of the choice.

    Returns:
        Indices to keep and indices to hold out, each ascending.

    Raises:
        ValueError: if ``labels`` is not 1-D or the share is not in [0, 1].

    Source: stratified sampling.
    """
    classes = np.asarray(labels)
    if classes.ndim != 1:
        raise ValueError(f"labels must have shape [N]; got {list(classes.shape)}")
    require_in("held_out", held_out, 0.0, 1.0)
    out = np.zeros(classes.size, bool)
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        # one generator per class: another class more or less leaves this one's choice as it was
        order = np.random.default_rng([seed, int(label)]).permutation(members)
        out[order[: int(members.size * held_out + 0.5)]] = True
    return np.flatnonzero(~out), np.flatnonzero(out)


def choose(available: int, count: int | None, what: str) -> int:
    """Return how many samples to take, or raise ``ValueError`` when that many are not there."""
    if count is None:
        return available
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"count must be an int; got {type(count).__name__} {count!r}")
    if not 1 <= count <= available:
        raise ValueError(f"{what} has {available} samples; got count={count}")
    return count


def require_part(part: str) -> None:
    """Raise ``ValueError`` unless ``part`` is ``"train"`` or ``"test"``."""
    if part not in ("train", "test"):
        raise ValueError(f"part must be 'train' or 'test'; got {part!r}")


def _reason(problem: BaseException) -> str:
    """Return what a network error came from ("Connection refused") instead of its layers of wrapping."""
    if isinstance(problem, OSError):
        while (deeper := problem.__cause__ or problem.__context__) is not None:
            problem = deeper
    return " ".join(str(problem).split())


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep notes on every file from the terminal; the progress bar shows what happens."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _bases() -> list[Path]:
    named = data_root()
    return [named, cache_root()] if named is not None else [cache_root()]


def _places(info: DatasetInfo, root: str | Path | None) -> list[Path]:
    if root is None:
        return [base / folder for base in _bases() for folder in info.folders]
    base = Path(root).expanduser()
    if not base.is_dir():
        raise DataNotFoundError(f"{info.title}: {str(root)!r} is not a folder; correct the path")
    return [*(base / folder for folder in info.folders), base]
