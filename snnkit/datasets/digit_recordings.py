"""Digits before an event camera: N-MNIST and its simulated stand-in."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snnkit.datasets._archives import members, read_member
from snnkit.datasets._progress import progress_bar
from snnkit.datasets.catalogue import DIGIT_NAMES
from snnkit.datasets.event_data import EventData, EventDigits, Sample
from snnkit.datasets.images import digits
from snnkit.datasets.local import (
    DataError,
    DataNotFoundError,
    available,
    choose,
    data_root,
    find,
    require_part,
)
from snnkit.events import Camera, Events, decode_nmnist, encode_nmnist, read_nmnist, resize

__all__ = ["event_digits", "nmnist", "simulated_nmnist", "write_nmnist_folder"]

_FOLDERS = {"train": "Train", "test": "Test"}


def nmnist(root: str | Path | None = None, part: str = "train", count: int | None = None) -> EventData:
    """Find N-MNIST: folders ``Train/<label>/<id>.bin`` and ``Test/...``, or zip archives that contain them.

    Args:
        root: Folder to look in; by default ``SNNKIT_DATA``, then the cache.
        part: ``"train"`` or ``"test"``.
        count: Take only the first so many, in the order of their ids (the order of MNIST).

    Returns:
        Recordings of 34 x 34 pixels, decoded when asked for.

    Raises:
        DataNotFoundError: if it is not there.
        DataError: if an archive is broken.
        ValueError: if ``part`` is neither or there are not ``count`` recordings.

    Source: Orchard, Jayawant, Cohen, Thakor, Frontiers in Neuroscience 9:437 (2015).
    """
    require_part(part)
    folder, name = find("nmnist", root), f"N-MNIST ({part})"
    found: list[tuple[int, int, Sample]] = []
    wanted = _FOLDERS[part]
    if (folder / wanted).is_dir():
        for path in (folder / wanted).glob("[0-9]/*.bin"):
            found.append((*_label_and_id(path.parts[-2:], str(path)), partial(read_nmnist, path)))
    else:
        for archive in sorted(folder.glob("*.zip")):
            for member in members(archive, wanted, ".bin"):
                sample = partial(_read_archived_nmnist, archive, member)
                found.append((*_label_and_id(member.split("/")[-2:], f"{archive}:{member}"), sample))
    if not found:
        raise DataNotFoundError(
            f"{name}: {folder} has no {wanted}/<label>/<id>.bin, nor an archive with them"
        )
    found.sort(key=lambda item: item[1])
    found = found[: choose(len(found), count, name)]
    labels = np.array([label for label, _, _ in found], np.int64)
    return EventData(tuple(sample for _, _, sample in found), labels, name, DIGIT_NAMES, 34, 34)


def simulated_nmnist(
    part: str = "train", count: int | None = None, camera: Camera | None = None, progress: bool = False
) -> EventData:
    """Show scikit-learn's digits to the simulated event camera; needs no files, about 2 ms a recording.

    A digit is enlarged to 20 x 20 pixels in the middle of 28 x 28, as MNIST's are. Each recording passes through
    the 40-bit records of N-MNIST, so code for those files works on it unchanged. The same arguments give the same
    bytes.

    Args:
        part: ``"train"`` (1,500 digits) or ``"test"`` (297).
        count: Take only the first so many.
        camera: Sensor and movement; by default those of N-MNIST, 34 x 34 pixels, without noise.
        progress: Whether to show a progress bar.

    Returns:
        Simulated recordings; ``simulated`` is True.

    Raises:
        ValueError: if ``part`` is neither or there are not ``count`` digits.

    Source: the camera of :mod:`snnkit.events.camera`, after Orchard et al. (2015).
    """
    require_part(part)
    images = digits(part, count)
    eye = camera or Camera()
    margin = eye.image // 7
    shown = resize(images.images[:, 0], eye.image - 2 * margin, eye.image - 2 * margin)
    shown = np.pad(shown, ((0, 0), (margin, margin), (margin, margin)))
    first = 0 if part == "train" else 1_000_000  # numbers of recordings, for their noise
    samples: list[Sample] = []
    starts = range(0, len(images), 16)
    for start in progress_bar(starts, "simulating an event camera", progress):
        for events in eye.record(shown[start : start + 16], first + start):
            samples.append(partial(decode_nmnist, encode_nmnist(events), "a simulated recording"))
    name = f"simulated N-MNIST from 8 x 8 digits ({part})"
    return EventData(tuple(samples), images.labels, name, DIGIT_NAMES, eye.sensor, eye.sensor, simulated=True)


def event_digits(
    root: str | Path | None = None,
    train: int | None = None,
    test: int | None = None,
    steps: int = 10,
    simulated: bool = False,
) -> EventDigits:
    """Return frames of N-MNIST where it is to be had, else of its simulation; ``source`` says which.

    Args:
        root: Folder to look in; by default ``SNNKIT_DATA``, then the cache. A folder given here must hold N-MNIST.
        train: Number of training recordings; by default all there are, but 1,000 simulated ones.
        test: Number of test recordings; by default all there are.
        steps: Frames a recording, cut by number of events.
        simulated: Take the simulation in any case.

    Returns:
        Frames and labels of both parts.

    Raises:
        DataNotFoundError: if ``root`` is given and does not hold N-MNIST, or ``SNNKIT_DATA`` is not a folder.
        ValueError: if there are fewer recordings than asked for.

    Source: Orchard et al., Frontiers in Neuroscience 9:437 (2015); :mod:`snnkit.events.camera`.
    """
    if not simulated and root is None:
        data_root()  # a wrong SNNKIT_DATA is an error, not a reason to simulate
        simulated = available("nmnist") is None
    if simulated:
        one = simulated_nmnist("train", 1_000 if train is None else train)
        other = simulated_nmnist("test", test)
    else:
        one, other = nmnist(root, "train", train), nmnist(root, "test", test)
    return EventDigits(
        one.frames_by_count(steps),
        one.labels,
        other.frames_by_count(steps),
        other.labels,
        "simulated N-MNIST" if simulated else "N-MNIST",
        simulated,
    )


def write_nmnist_folder(folder: str | Path, train: EventData, test: EventData, progress: bool = False) -> int:
    """Write recordings as N-MNIST is published, ``Train/<label>/<id>.bin`` and ``Test/<label>/<id>.bin``.

    Args:
        folder: The folder to make; an empty one may exist. It appears only when all files are written.
        train: Recordings of the training part.
        test: Recordings of the test part.
        progress: Whether to show a progress bar.

    Returns:
        Number of files written.

    Raises:
        FileExistsError: if the folder exists and is not empty.
        ValueError: if a recording does not fit the format.

    Source: the layout of Orchard et al. (2015).
    """
    target = Path(folder).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{folder} exists and is not an empty folder; choose another or remove it")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for part, data in (("Train", train), ("Test", test)):
            for label in range(len(data.classes)):
                (work / part / str(label)).mkdir(parents=True)
            pairs = zip(data, data.labels, strict=True)
            for number, (events, label) in enumerate(
                progress_bar(pairs, f"writing {part}", progress, len(data)), 1
            ):
                (work / part / str(label) / f"{number:05d}.bin").write_bytes(encode_nmnist(events))
        work.chmod(0o755)
        os.replace(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return len(train) + len(test)


def _label_and_id(parts: Any, name: str) -> tuple[int, int]:
    label, file = parts
    try:
        return int(label), int(Path(file).stem)
    except ValueError:
        raise DataError(
            f"{name} is not named <label>/<id>.bin; the folder is not in the layout of N-MNIST"
        ) from None


def _read_archived_nmnist(archive: Path, member: str) -> Events:
    return decode_nmnist(read_member(archive, member), f"{archive}:{member}")
