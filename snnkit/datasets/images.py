"""Image data sets: digits, MNIST, Fashion-MNIST and CIFAR-10 as ``float32 [N, C, H, W]`` in [0, 1]."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkit.datasets.catalogue import CIFAR10_NAMES, DIGIT_NAMES, FASHION_NAMES
from snnkit.datasets.local import DataError, DataNotFoundError, choose, find, require_part, stratified_split

__all__ = ["Bytes", "ImageData", "cifar10", "digits", "fashion_mnist", "mnist"]

if TYPE_CHECKING:
    from torch import Tensor

Bytes = NDArray[np.uint8]
_TEST_DIGITS = 297 / 1797


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images and their classes.

    Args:
        images: ``float32 [N, C, H, W]`` in [0, 1].
        labels: ``int64 [N]``.
        name: What and which part it is.
        classes: Names of the classes.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    name: str
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return images and labels as PyTorch tensors that share the memory."""
        import torch

        return torch.from_numpy(self.images), torch.from_numpy(self.labels)

    def subset(self, indices: ArrayLike) -> ImageData:
        """Return the samples with the given indices."""
        chosen = np.asarray(indices)
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def split(self, held_out: float, seed: int = 0) -> tuple[ImageData, ImageData]:
        """Split off a share of each class, see :func:`stratified_split`."""
        keep, out = stratified_split(self.labels, held_out, seed)
        return self.subset(keep), self.subset(out)


def digits(part: str | None = None, count: int | None = None) -> ImageData:
    """Load scikit-learn's 8 x 8 digits; needs no files.

    Args:
        part: ``"train"`` (1,500), ``"test"`` (297) or None for all 1,797. The split is ours: stratified, seed 0.
        count: Take only the first so many.

    Returns:
        Images ``[N, 1, 8, 8]``.

    Raises:
        ValueError: if ``part`` is none of these or there are not ``count`` images.

    Source: scikit-learn, ``load_digits``; Alpaydin and Kaynak (1998).
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = bunch.target.astype(np.int64)
    chosen = np.arange(labels.size)
    if part is not None:
        require_part(part)
        train, test = stratified_split(labels, _TEST_DIGITS)
        chosen = train if part == "train" else test
    name = f"digits ({part or 'all'})"
    chosen = chosen[: choose(chosen.size, count, name)]
    images = (bunch.images[chosen, None] / 16).astype(np.float32)
    return ImageData(images, labels[chosen], name, DIGIT_NAMES)


def mnist(root: str | Path | None = None, part: str = "train", count: int | None = None) -> ImageData:
    """Load MNIST from idx files, compressed or not.

    Args:
        root: Folder to look in; by default ``SNNKIT_DATA``, then the cache.
        part: ``"train"`` (60,000) or ``"test"`` (10,000).
        count: Take only the first so many.

    Returns:
        Images ``[N, 1, 28, 28]``.

    Raises:
        DataNotFoundError: if it is not there.
        DataError: if a file is broken.
        ValueError: if ``part`` is neither or there are not ``count`` images.

    Source: LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 86(11) (1998).
    """
    require_part(part)
    prefixes = ("train",) if part == "train" else ("t10k",)
    return _load_idx(find("mnist", root), prefixes, f"MNIST ({part})", count, DIGIT_NAMES)


def fashion_mnist(root: str | Path | None = None, part: str = "train", count: int | None = None) -> ImageData:
    """Load Fashion-MNIST as :func:`mnist` does MNIST; files ``train10k-*`` hold a training part of 10,000.

    Source: Xiao, Rasul, Vollgraf, arXiv:1708.07747 (2017).
    """
    require_part(part)
    prefixes = ("train", "train10k") if part == "train" else ("t10k",)
    folder = find("fashion_mnist", root)
    return _load_idx(folder, prefixes, f"Fashion-MNIST ({part})", count, FASHION_NAMES)


def cifar10(root: str | Path | None = None, part: str = "train", count: int | None = None) -> ImageData:
    """Load CIFAR-10 in its original order.

    Reads the official binary or Python batches, the archive of the binary batches, or a folder of residual ``.npz``
    files (``train_1of5`` ... ``train_5of5`` = the five official batches, ``test_first1000``); reads no more
    batches than ``count`` needs.

    Args:
        root: Folder to look in; by default ``SNNKIT_DATA``, then the cache.
        part: ``"train"`` (50,000) or ``"test"`` (10,000; 1,000 from ``test_first1000.npz``).
        count: Take only the first so many.

    Returns:
        Images ``[N, 3, 32, 32]`` (red, green, blue).

    Raises:
        DataNotFoundError: if it is not there.
        DataError: if a file is broken.
        ValueError: if ``part`` is neither or there are not ``count`` images.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
    """
    require_part(part)
    folder = find("cifar10", root)
    parts: list[tuple[Bytes, Bytes]] = []
    have = 0
    for batch in _cifar10_batches(folder, part):
        parts.append(batch)
        have += len(batch[1])
        if count is not None and have >= count:
            break
    name = f"CIFAR-10 ({part})"
    if not parts:
        raise DataNotFoundError(f"{name}: {folder} has no file of the {part} part; fetch it again")
    taken = choose(have, count, name)
    pixels, labels = (np.concatenate(arrays)[:taken] for arrays in zip(*parts, strict=True))
    return ImageData(_unit(pixels), labels.astype(np.int64), name, CIFAR10_NAMES)


def _unit(pixels: Bytes) -> NDArray[np.float32]:
    """Return bytes as float32 in [0, 1]."""
    result: NDArray[np.float32] = pixels.astype(np.float32)
    result /= 255
    return result


def _load_idx(
    folder: Path, prefixes: tuple[str, ...], name: str, count: int | None, classes: tuple[str, ...]
) -> ImageData:
    for prefix in prefixes:
        paths = [
            next(iter(sorted(folder.glob(f"{prefix}-{kind}-ubyte*"))), None)
            for kind in ("images-idx3", "labels-idx1")
        ]
        if paths[0] is not None and paths[1] is not None:
            break
    else:
        raise DataNotFoundError(
            f"{name}: {folder} lacks images or labels {prefixes[0]}-*-ubyte.gz; fetch it again"
        )
    images, labels = _read_idx(paths[0], 3), _read_idx(paths[1], 1)
    if len(images) != len(labels):
        raise DataError(f"{name}: {paths[0]} has {len(images)} images, {paths[1].name} {len(labels)} labels")
    taken = choose(len(labels), count, name)
    return ImageData(_unit(images[:taken, None]), labels[:taken].astype(np.int64), name, classes)


def _read_idx(path: Path, axes: int) -> Bytes:
    """Read an idx file of bytes with so many axes, compressed by gzip or not."""
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError) as problem:
        raise DataError(
            f"{path} cannot be unpacked ({problem}): it was cut short; fetch it again"
        ) from problem
    if raw[:4] != bytes([0, 0, 8, axes]):
        raise DataError(f"{path} begins with {raw[:4]!r}; expected an idx file of bytes with {axes} axes")
    start = 4 + 4 * axes
    sizes = [int.from_bytes(raw[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(axes)]
    expected = start + int(np.prod(sizes))
    if len(raw) != expected:
        raise DataError(
            f"{path} unpacks to {len(raw)} bytes; its header announces {expected}: fetch it again"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(sizes)


def _cifar10_batches(folder: Path, part: str) -> Iterator[tuple[Bytes, Bytes]]:
    """Yield pixels ``[n, 3, 32, 32]`` and labels of the batches, from the first form of the data that is there."""
    stems = [f"data_batch_{k}" for k in range(1, 6)] if part == "train" else ["test_batch"]
    for place in (folder, folder / "cifar-10-batches-bin"):
        paths = [place / f"{stem}.bin" for stem in stems]
        if paths[0].is_file():
            for path in paths:
                yield _binary_batch(_read(path), str(path))
            return
    for place in (folder, folder / "cifar-10-batches-py"):
        paths = [place / stem for stem in stems]
        if paths[0].is_file():
            for path in paths:
                yield _python_batch(_read(path), str(path))
            return
    archive = folder / "cifar-10-binary.tar.gz"
    if archive.is_file():
        yield from _archived_batches(archive, stems)
        return
    pattern = "train_*of5.npz" if part == "train" else "test_first1000.npz"
    for path in sorted(folder.glob(pattern)):
        yield _residual_batch(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataNotFoundError(
            f"CIFAR-10: {path} is missing though its first batch is there; fetch it again"
        ) from None


def _binary_batch(raw: bytes, name: str) -> tuple[Bytes, Bytes]:
    if not raw or len(raw) % 3073:
        raise DataError(
            f"{name} has {len(raw)} bytes, not a multiple of 3073 (label and pixels): fetch it again"
        )
    rows = np.frombuffer(raw, np.uint8).reshape(-1, 3073)
    return _checked(rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0], name)


def _python_batch(raw: bytes, name: str) -> tuple[Bytes, Bytes]:
    try:
        batch = _ArrayUnpickler(io.BytesIO(raw), encoding="bytes").load()
        pixels, labels = batch[b"data"], np.asarray(batch[b"labels"], np.uint8)
        return _checked(np.asarray(pixels, np.uint8).reshape(-1, 3, 32, 32), labels, name)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, IndexError, AttributeError) as problem:
        raise DataError(
            f"{name} is not a batch of CIFAR-10 for Python ({problem}): fetch it again"
        ) from problem


def _archived_batches(archive: Path, stems: list[str]) -> Iterator[tuple[Bytes, Bytes]]:
    try:
        with tarfile.open(archive) as members:
            for stem in stems:
                member = members.extractfile(f"cifar-10-batches-bin/{stem}.bin")
                yield _binary_batch(member.read() if member else b"", f"{archive}:{stem}.bin")
    except (tarfile.TarError, EOFError, OSError, KeyError) as problem:
        raise DataError(f"{archive} cannot be unpacked ({problem}): fetch it again") from problem


def _residual_batch(path: Path) -> tuple[Bytes, Bytes]:
    """Undo the differences in both directions and of red and blue to green, all modulo 256."""
    try:
        with np.load(path) as file:
            residual, labels = file["residual"], file["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise DataError(f"{path} cannot be read ({problem}): copy it again") from problem
    if residual.ndim != 4 or residual.shape[0] != 3 or residual.shape[2:] != (32, 32):
        raise DataError(f"{path} has residuals of shape {list(residual.shape)}; expected [3, N, 32, 32]")
    planes = np.cumsum(np.cumsum(residual, axis=2, dtype=np.uint8), axis=3, dtype=np.uint8)
    planes[0] += planes[1]
    planes[2] += planes[1]
    return _checked(planes.transpose(1, 0, 2, 3), labels, str(path))


def _checked(pixels: Bytes, labels: Bytes, name: str) -> tuple[Bytes, Bytes]:
    if len(pixels) != len(labels) or int(labels.max(initial=0)) > 9:
        raise DataError(
            f"{name} has {len(pixels)} images and {len(labels)} labels up to {labels.max(initial=0)}; expected as "
            "many labels as images, 0 to 9"
        )
    return pixels, labels


class _ArrayUnpickler(pickle.Unpickler):
    """Loads arrays, numbers, lists and dictionaries and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        allowed = {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong into a data file")
        found: Callable[..., Any] = super().find_class(module.replace("numpy.core", "numpy._core"), name)
        return found
