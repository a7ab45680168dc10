"""Recordings of event cameras: N-MNIST, its simulated stand-in, CIFAR10-DVS and DVS Gesture."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from snnkit.datasets.catalogue import CIFAR10_NAMES, DIGIT_NAMES, GESTURE_NAMES
from snnkit.datasets.images import digits
from snnkit.datasets.local import (
    DataError,
    DataNotFoundError,
    available,
    choose,
    data_root,
    find,
    require_part,
    stratified_split,
)
from snnkit.events import (
    CIFAR10_DVS,
    Camera,
    Events,
    decode_aedat2,
    decode_nmnist,
    encode_nmnist,
    frames_by_count,
    frames_by_time,
    read_aedat2,
    read_aedat3,
    read_gesture_labels,
    read_nmnist,
    resize,
)

if TYPE_CHECKING:
    from torch import Tensor

Sample = Callable[[], Events]
_FOLDERS = {"train": "Train", "test": "Test"}


@dataclass(frozen=True, eq=False)
class EventData:
    """Recordings, decoded when asked for, and their classes.

    Args:
        samples: One function a recording that reads and decodes it.
        labels: ``int64 [N]``.
        name: What and which part it is.
        classes: Names of the classes.
        height: Rows of the sensor.
        width: Columns of the sensor.
        simulated: Whether the recordings were computed and not recorded.
    """

    samples: tuple[Sample, ...]
    labels: NDArray[np.int64]
    name: str
    classes: tuple[str, ...]
    height: int
    width: int
    simulated: bool = False

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Events:
        """Decode one recording."""
        return self.samples[index]()

    def __iter__(self) -> Iterator[Events]:
        return (sample() for sample in self.samples)

    def subset(self, indices: ArrayLike) -> EventData:
        """Return the recordings with the given indices."""
        chosen = np.asarray(indices)
        return replace(self, samples=tuple(self.samples[i] for i in chosen), labels=self.labels[chosen])

    def split(self, held_out: float, seed: int = 0) -> tuple[EventData, EventData]:
        """Split off a share of each class, see :func:`stratified_split`."""
        keep, out = stratified_split(self.labels, held_out, seed)
        return self.subset(keep), self.subset(out)

    def frames_by_count(
        self, steps: int, dtype: DTypeLike = np.uint8, progress: bool = False
    ) -> NDArray[Any]:
        """Sum every recording into frames of equally many events.

        Args:
            steps: Number of frames T.
            dtype: Type of the counts.
            progress: Whether to show a progress bar.

        Returns:
            Counts ``[N, T, 2, H, W]``.

        Raises:
            ValueError, OverflowError: as :func:`snnkit.events.frames_by_count`.

        Source: see :func:`snnkit.events.frames_by_count`.
        """
        return self._frames(frames_by_count, steps, dtype, progress)

    def frames_by_time(self, steps: int, dtype: DTypeLike = np.uint8, progress: bool = False) -> NDArray[Any]:
        """Sum every recording into frames of equal duration.

        Args:
            steps: Number of frames T.
            dtype: Type of the counts.
            progress: Whether to show a progress bar.

        Returns:
            Counts ``[N, T, 2, H, W]``.

        Raises:
            ValueError, OverflowError: as :func:`snnkit.events.frames_by_time`.

        Source: see :func:`snnkit.events.frames_by_time`.
        """
        return self._frames(frames_by_time, steps, dtype, progress)

    def _frames(
        self, integrate: Callable[..., NDArray[Any]], steps: int, dtype: DTypeLike, progress: bool
    ) -> NDArray[Any]:
        block: NDArray[Any] | None = None
        for index, events in enumerate(_progress(self, self.name, progress)):
            frames = integrate(events, steps, self.height, self.width, dtype)
            if block is None:
                block = np.empty((len(self), *frames.shape), frames.dtype)
            block[index] = frames
        return np.empty((0, steps, 2, self.height, self.width), dtype) if block is None else block


@dataclass(frozen=True, eq=False)
class EventDigits:
    """Frames of digits, to learn from and held out.

    Args:
        train_frames: Counts ``uint8 [N, T, 2, 34, 34]``.
        train_labels: ``int64 [N]``.
        test_frames: Counts ``uint8 [M, T, 2, 34, 34]``.
        test_labels: ``int64 [M]``.
        name: Name of the data set.
        simulated: Whether the recordings were computed and not recorded.
    """

    train_frames: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_frames: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    name: str
    simulated: bool

    @property
    def real(self) -> bool:
        """Whether these are recordings of a camera."""
        return not self.simulated

    @property
    def source(self) -> str:
        """One line that says what this is."""
        sizes = f"{len(self.train_labels)} training and {len(self.test_labels)} test recordings"
        if self.simulated:
            return f"{sizes}, simulated: 8 x 8 digits before a simulated event camera (not N-MNIST)"
        return f"{sizes} of N-MNIST (real, Orchard et al. 2015)"

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return frames and labels, training part first, as PyTorch tensors that share the memory."""
        import torch

        arrays = (self.train_frames, self.train_labels, self.test_frames, self.test_labels)
        first, second, third, fourth = map(torch.from_numpy, arrays)
        return first, second, third, fourth


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
            for member in _members(archive, wanted, ".bin"):
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
    for start in _progress(starts, "simulating an event camera", progress):
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
            for member in _members(archive, "", ".aedat"):
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
                _progress(pairs, f"writing {part}", progress, len(data)), 1
            ):
                (work / part / str(label) / f"{number:05d}.bin").write_bytes(encode_nmnist(events))
        work.chmod(0o755)
        os.replace(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return len(train) + len(test)


def _progress(items: Any, text: str, show: bool, total: int | None = None) -> Any:
    if not show:
        return items
    from tqdm import tqdm

    return tqdm(items, desc=text, total=len(items) if total is None else total)


def _label_and_id(parts: Any, name: str) -> tuple[int, int]:
    label, file = parts
    try:
        return int(label), int(Path(file).stem)
    except ValueError:
        raise DataError(
            f"{name} is not named <label>/<id>.bin; the folder is not in the layout of N-MNIST"
        ) from None


def _number(stem: str) -> int:
    """Return the number at the end of ``cifar10_airplane_12``."""
    digits_at_end = stem.rpartition("_")[2]
    if not digits_at_end.isdecimal():
        raise DataError(f"{stem} does not end in _<number>; expected a name such as cifar10_airplane_12")
    return int(digits_at_end)


@lru_cache(maxsize=16)
def _open_archive(path: Path, size: int, changed: int, process: int) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as problem:
        raise DataError(f"{path} is not a whole zip archive ({problem}): fetch it again") from problem


def _archive(path: Path) -> zipfile.ZipFile:
    """Return an open archive; each process has its own, and one that was changed is opened anew."""
    state = path.stat()
    return _open_archive(path, state.st_size, state.st_mtime_ns, os.getpid())


def _members(archive: Path, folder: str, ending: str) -> list[str]:
    names = _archive(archive).namelist()
    inside = [name for name in names if name.endswith(ending) and "__MACOSX" not in name]
    return [name for name in inside if not folder or folder in name.split("/")[:-1]]


def _read_member(archive: Path, member: str) -> bytes:
    try:
        return _archive(archive).read(member)
    except (zipfile.BadZipFile, OSError, EOFError) as problem:
        raise DataError(
            f"{archive}: {member} cannot be read ({problem}): fetch the archive again"
        ) from problem


def _read_archived_nmnist(archive: Path, member: str) -> Events:
    return decode_nmnist(_read_member(archive, member), f"{archive}:{member}")


def _read_archived_aedat2(archive: Path, member: str) -> Events:
    return decode_aedat2(_read_member(archive, member), CIFAR10_DVS, f"{archive}:{member}")


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
