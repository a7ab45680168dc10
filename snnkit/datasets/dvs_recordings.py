"""Recordings of the 128 x 128 sensor DVS128: CIFAR10-DVS and DVS Gesture."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from snnkit.datasets._archives import members, read_member
from snnkit.datasets.catalogue import CIFAR10_NAMES, GESTURE_NAMES
from snnkit.datasets.event_data import EventData, Sample
from snnkit.datasets.local import DataError, DataNotFoundError, choose, find, require_part, stratified_split
from snnkit.events import CIFAR10_DVS, Events, decode_aedat2, read_aedat2, read_aedat3, read_gesture_labels

__all__ = ["cifar10_dvs", "dvs_gesture"]


def cifar10_dvs(
    root: str | Path | None = None,
    part: str = "train",
    count: int | None = None,
    held_out: float = 0.1,
    seed: int = 0,
) -> EventData:
    """Find CIFAR10-DVS: ten folders ``<class>/*.aedat``, or the ten archives ``<class>.zip``.

    There is no official split. Ours holds out a share of every class, chosen by the seed; state both when you report
    an accuracy, and do not compare it with one under another split.

    Args:
        root: Folder to look in; by default ``SNNKIT_DATA``, then the cache.
        part: ``"train"`` or ``"test"``.
        count: Take only the first so many (they are ordered by number, then class, so classes stay balanced).
        held_out: Share of each class in the test part.
        seed: Seed of the split.

    Returns:
        Recordings of 128 x 128 pixels, decoded when asked for.

    Raises:
        DataNotFoundError: if it, or one of its classes, is not there.
        DataError: if an archive is broken.
        ValueError: if ``part`` is neither, the share is not in [0, 1] or there are not ``count`` recordings.

    Source: Li, Liu, Ji, Li, Shi, Frontiers in Neuroscience 11:309 (2017).
    """
    require_part(part)
    folder, name = (
        find("cifar10_dvs", root),
        f"CIFAR10-DVS ({part}, {held_out:g} of each class held out, seed {seed})",
    )
    found: list[tuple[int, int, Sample]] = []
    for label, word in enumerate(CIFAR10_NAMES):
        archive = folder / f"{word}.zip"
        before = len(found)
        if (folder / word).is_dir():
            for path in (folder / word).glob("*.aedat"):
                found.append((_number(path.stem), label, partial(read_aedat2, path, CIFAR10_DVS)))
        elif archive.is_file():
            for member in members(archive, "", ".aedat"):
                sample = partial(_read_archived_aedat2, archive, member)
                found.append((_number(Path(member).stem), label, sample))
        if len(found) == before:
            raise DataNotFoundError(
                f"{name}: {folder} has no recordings of {word} ({word}/*.aedat or {word}.zip)"
            )
    found.sort(key=lambda item: item[:2])
    labels = np.array([label for _, label, _ in found], np.int64)
    train, test = stratified_split(labels, held_out, seed)
    chosen = train if part == "train" else test
    chosen = chosen[: choose(chosen.size, count, name)]
    samples = tuple(found[index][2] for index in chosen)
    return EventData(samples, labels[chosen], name, CIFAR10_NAMES, 128, 128)


def dvs_gesture(root: str | Path | None = None, part: str = "train", count: int | None = None) -> EventData:
    """Find DVS128 Gesture: the official folder, or the file ``dvs128_gesture_4.npz`` with four recordings.

    In the official folder ``trials_to_train.txt`` and ``trials_to_test.txt`` (a split by person) name the
    ``.aedat`` files, and ``..._labels.csv`` beside each the stretches of time that are samples. A sample is read from
    its file when asked for, up to its end and without keeping the rest in memory.

    Args:
        root: Folder to look in; by default ``SNNKIT_DATA``, then the cache.
        part: ``"train"`` or ``"test"``; the file with four recordings has no test part.
        count: Take only the first so many.

    Returns:
        Recordings of 128 x 128 pixels; label 0 is the publisher's class 1.

    Raises:
        DataNotFoundError: if it, or a file it names, is not there.
        DataError: if a file is broken.
        ValueError: if ``part`` is neither or there are not ``count`` recordings.

    Source: Amir et al., A Low Power, Fully Event-Based Gesture Recognition System, CVPR (2017).
    """
    require_part(part)
    folder = find("dvs_gesture", root)
    if (folder / "trials_to_train.txt").is_file():
        name = f"DVS128 Gesture ({part})"
        found = _gesture_trials(folder, folder / f"trials_to_{part}.txt")
    else:
        name = f"DVS128 Gesture, four recordings ({part})"
        if part == "test":
            raise DataNotFoundError(f"{name}: {folder} holds four recordings of one person and no test part")
        found = _four_gestures(folder / "dvs128_gesture_4.npz")
    found = found[: choose(len(found), count, name)]
    labels = np.array([label for label, _ in found], np.int64)
    return EventData(tuple(sample for _, sample in found), labels, name, GESTURE_NAMES, 128, 128)


def _number(stem: str) -> int:
    """Return the number at the end of ``cifar10_airplane_12``."""
    digits_at_end = stem.rpartition("_")[2]
    if not digits_at_end.isdecimal():
        raise DataError(f"{stem} does not end in _<number>; expected a name such as cifar10_airplane_12")
    return int(digits_at_end)


def _read_archived_aedat2(archive: Path, member: str) -> Events:
    return decode_aedat2(read_member(archive, member), CIFAR10_DVS, f"{archive}:{member}")


def _gesture_trials(folder: Path, listing: Path) -> list[tuple[int, Sample]]:
    if not listing.is_file():
        raise DataNotFoundError(f"DVS128 Gesture: {listing} is missing; unpack the archive again")
    found: list[tuple[int, Sample]] = []
    for line in listing.read_text(encoding="utf-8").split():
        path = folder / line
        labels = path.with_name(f"{path.stem}_labels.csv")
        for needed in (path, labels):
            if not needed.is_file():
                raise DataNotFoundError(f"DVS128 Gesture: {needed}, named in {listing.name}, is missing")
        for trial in read_gesture_labels(labels):
            found.append((trial.label - 1, partial(read_aedat3, path, trial.start, trial.stop)))
    return found


def _four_gestures(path: Path) -> list[tuple[int, Sample]]:
    labels = {"hand_clapping": 0, "right_hand_wave": 1, "left_hand_wave": 2, "other_gestures": 10}
    return [(label, partial(_read_gesture, path, name)) for name, label in labels.items()]


def _read_gesture(path: Path, name: str) -> Events:
    try:
        with np.load(path) as file:
            start, steps = int(file[f"{name}_t0"]), file[f"{name}_dt"].astype(np.int64)
            x, y, p = (file[f"{name}_{field}"] for field in "xyp")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise DataError(f"{path} cannot be read ({problem}): copy it again") from problem
    return Events(x.astype(np.int16), y.astype(np.int16), p.astype(np.int8), start + np.cumsum(steps))
