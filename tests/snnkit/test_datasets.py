"""Finding, reading, downloading and splitting data sets; the real ones where ``SNNKIT_DATA`` is set."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from snnkit import datasets
from snnkit.datasets import (
    CATALOGUE,
    DataError,
    DataNotFoundError,
    Download,
    EventData,
    cifar10,
    cifar10_dvs,
    digits,
    dvs_gesture,
    event_digits,
    fashion_mnist,
    mnist,
    nmnist,
    simulated_nmnist,
    stratified_split,
    write_nmnist_folder,
)
from snnkit.events import (
    CIFAR10_DVS,
    Camera,
    Events,
    encode_nmnist,
    frames_by_count,
    frames_by_time,
    resize,
    saccade_path,
    write_aedat2,
    write_aedat3,
    write_nmnist,
)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No data folder and an empty cache."""
    monkeypatch.delenv("SNNKIT_DATA", raising=False)
    monkeypatch.setenv("SNNKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def make_events(rng: np.random.Generator, size: int = 50, side: int = 34, end: int = 300_000) -> Events:
    return Events(
        rng.integers(0, side, size).astype(np.int16),
        rng.integers(0, side, size).astype(np.int16),
        rng.integers(0, 2, size).astype(np.int8),
        np.sort(rng.integers(0, end, size)),
    )


def same(one: Events, other: Events) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in "xypt")


# --- catalogue --------------------------------------------------------------------------------------------------


def test_every_record_is_complete_and_has_a_loader() -> None:
    for name, info in CATALOGUE.items():
        assert callable(getattr(datasets, name))
        assert info.name == name
        assert all((info.title, info.content, info.licence, info.source, info.citation))
        assert info.embedded == (not info.patterns) == (not info.folders)
        files = [item.file for item in info.downloads]
        assert len(set(files)) == len(files)
        assert all(len(item.md5) == 32 and int(item.md5, 16) for item in info.downloads)
    # no licence is claimed for CIFAR-10
    assert not CATALOGUE["cifar10"].redistributable


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"there is no data set 'minst'; known are digits, .*nmnist"):
        datasets.describe("minst")


# --- finding ----------------------------------------------------------------------------------------------------


def test_data_root_must_be_a_folder(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert datasets.data_root() is None
    monkeypatch.setenv("SNNKIT_DATA", str(nowhere))
    assert datasets.data_root() == nowhere
    monkeypatch.setenv("SNNKIT_DATA", str(nowhere / "missing"))
    for load in (datasets.data_root, mnist, event_digits):
        with pytest.raises(
            DataNotFoundError, match=r"SNNKIT_DATA is '.*missing', which is not a folder; correct it"
        ):
            load()  # type: ignore[operator]


@pytest.mark.parametrize("name", [name for name, info in CATALOGUE.items() if not info.embedded])
def test_missing_data_say_where_and_what_to_do(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    load = getattr(datasets, name)
    advice = f"snnkit data fetch {name}" if CATALOGUE[name].downloads else "get it from https"
    with pytest.raises(DataNotFoundError, match=f"was not found in .*cache; .*{advice}") as caught:
        load()
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("SNNKIT_DATA", str(nowhere))
    with pytest.raises(DataNotFoundError, match=f"was not found in {nowhere} or {nowhere}/cache"):
        load()
    with pytest.raises(DataNotFoundError, match="pass a folder that contains one of"):
        load(nowhere)
    with pytest.raises(DataNotFoundError, match=r"'.*absent' is not a folder; correct the path"):
        load(nowhere / "absent")
    with pytest.raises(ValueError, match="part must be 'train' or 'test'; got 'valid'"):
        load(nowhere, part="valid")


def test_the_cache_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNNKIT_CACHE", raising=False)
    assert "snnkit" in datasets.cache_root().name.lower()


def test_embedded_data_are_not_looked_for(nowhere: Path) -> None:
    for call in (datasets.find, datasets.available, datasets.fetch):
        with pytest.raises(ValueError, match=r"digits needs no .*call snnkit\.datasets\.digits\(\)"):
            call("digits")


# --- splitting --------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), max_size=60), st.floats(0, 1), st.integers(0, 100))
def test_split_is_stratified_complete_and_repeatable(labels: list[int], share: float, seed: int) -> None:
    keep, out = stratified_split(labels, share, seed)
    assert sorted([*keep, *out]) == list(range(len(labels)))
    assert list(keep) == sorted(keep)
    for label in set(labels):
        members = labels.count(label)
        held = sum(labels[i] == label for i in out)
        assert abs(held - members * share) <= 0.5 + 1e-9
    again = stratified_split(labels, share, seed)
    assert np.array_equal(keep, again[0])


def test_split_depends_on_the_seed_and_not_on_other_classes() -> None:
    labels = np.repeat([0, 1], 50)
    assert not np.array_equal(stratified_split(labels, 0.5, 0)[1], stratified_split(labels, 0.5, 1)[1])
    alone = stratified_split(labels[:50], 0.3)[1]
    assert np.array_equal(alone, [i for i in stratified_split(labels, 0.3)[1] if i < 50])
    with pytest.raises(ValueError, match="held_out must lie in"):
        stratified_split(labels, 1.5)
    with pytest.raises(ValueError, match=r"labels must have shape \[N\]; got \[2, 1\]"):
        stratified_split([[0], [1]], 0.5)


# --- digits -----------------------------------------------------------------------------------------------------


def test_digits_are_scikit_learns_split_once() -> None:
    bunch = load_digits()
    everything, train, test = digits(), digits("train"), digits("test")
    assert np.array_equal(everything.images[:, 0] * 16, bunch.images)
    assert np.array_equal(everything.labels, bunch.target)
    assert (len(train), len(test)) == (1500, 297)
    assert everything.images.dtype == np.float32
    assert (everything.images.min(), everything.images.max()) == (0, 1)
    rows = {tuple(image.ravel()) for image in everything.images}
    parts = [{tuple(image.ravel()) for image in data.images} for data in (train, test)]
    assert parts[0] | parts[1] == rows
    shares = np.bincount(test.labels) / np.bincount(bunch.target)
    assert np.allclose(shares, 297 / 1797, atol=0.005)


def test_image_data_subsets_and_tensors() -> None:
    data = digits("test", 40)
    assert len(data) == 40
    images, labels = data.tensors()
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    images[0, 0, 0, 0] = 0.5
    assert data.images[0, 0, 0, 0] == 0.5  # shared memory
    part = data.subset([3, 1])
    assert np.array_equal(part.images, data.images[[3, 1]])
    keep, out = data.split(0.25, seed=1)
    assert len(keep) + len(out) == 40
    assert np.array_equal(np.sort(np.concatenate([keep.labels, out.labels])), np.sort(data.labels))
    with pytest.raises(ValueError, match=r"digits \(test\) has 297 samples; got count=298"):
        digits("test", 298)
    with pytest.raises(TypeError, match="count must be an int; got float"):
        digits("test", 2.0)  # type: ignore[arg-type]


# --- MNIST and Fashion-MNIST ------------------------------------------------------------------------------------


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, prefix: str, images: Any, labels: Any, compress: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        raw = idx_bytes(np.asarray(array))
        (folder / f"{prefix}-{kind}-ubyte{'.gz' if compress else ''}").write_bytes(
            gzip.compress(raw) if compress else raw
        )


@pytest.mark.parametrize("compress", [True, False])
def test_idx_files_come_back(nowhere: Path, monkeypatch: pytest.MonkeyPatch, compress: bool) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (7, 28, 28)), rng.integers(0, 10, 7)
    write_idx(nowhere / "mnist", "train", images, labels, compress)
    write_idx(nowhere / "fashion_mnist", "train10k", images, labels, compress)
    write_idx(nowhere / "fashion_mnist", "t10k", images[:3], labels[:3], compress)
    monkeypatch.setenv("SNNKIT_DATA", str(nowhere))
    for data in (mnist(), mnist(nowhere), mnist(nowhere / "mnist"), fashion_mnist()):
        assert np.array_equal(np.round(data.images[:, 0] * 255), images)
        assert np.array_equal(data.labels, labels)
    assert len(mnist(count=4)) == 4
    assert len(fashion_mnist(part="test")) == 3
    with pytest.raises(ValueError, match=r"MNIST \(train\) has 7 samples; got count=8"):
        mnist(count=8)
    with pytest.raises(DataNotFoundError, match=r"MNIST \(test\): .*lacks images or labels t10k"):
        mnist(part="test")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: gzip.compress(raw)[:-9], "cannot be unpacked .*cut short; fetch it again"),
        (lambda raw: raw[:-1], "unpacks to 5503 bytes; its header announces 5504"),
        (lambda raw: b"\x00\x00\x08\x01" + raw[4:], "expected an idx file of bytes with 3 axes"),
        (lambda raw: idx_bytes(np.zeros((6, 28, 28))), "has 6 images, train-labels-idx1-ubyte.gz 7 labels"),
    ],
)
def test_broken_idx_files(nowhere: Path, spoil: Any, message: str) -> None:
    images = np.zeros((7, 28, 28))
    write_idx(nowhere, "train", images, np.zeros(7))
    (nowhere / "train-images-idx3-ubyte.gz").write_bytes(spoil(idx_bytes(images)))
    with pytest.raises(DataError, match=message):
        mnist(nowhere)


# --- CIFAR-10 ---------------------------------------------------------------------------------------------------

STEMS = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Six batches of four pictures."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (6, 4, 3, 32, 32)).astype(np.uint8), rng.integers(0, 10, (6, 4)).astype(
        np.uint8
    )


def binary_bytes(pixels: Any, labels: Any) -> bytes:
    return np.concatenate([labels[:, None], pixels.reshape(len(labels), -1)], axis=1).tobytes()


def write_binary(folder: Path, pixels: Any, labels: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, image, label in zip(STEMS, pixels, labels, strict=True):
        (folder / f"{stem}.bin").write_bytes(binary_bytes(image, label))


def write_python(folder: Path, pixels: Any, labels: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, image, label in zip(STEMS, pixels, labels, strict=True):
        batch = {b"data": image.reshape(len(label), -1), b"labels": label.tolist(), b"batch_label": b"x"}
        (folder / stem).write_bytes(pickle.dumps(batch, protocol=2))


def write_archive(folder: Path, pixels: Any, labels: Any) -> None:
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for stem, image, label in zip(STEMS, pixels, labels, strict=True):
            raw = binary_bytes(image, label)
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{stem}.bin")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))


def write_residual(folder: Path, pixels: Any, labels: Any) -> None:
    names = [*(f"train_{k}of5" for k in range(1, 6)), "test_first1000"]
    for name, image, label in zip(names, pixels, labels, strict=True):
        planes = image.transpose(1, 0, 2, 3).copy()
        planes[0] -= planes[1]
        planes[2] -= planes[1]
        residual = np.diff(np.diff(planes, axis=2, prepend=np.uint8(0)), axis=3, prepend=np.uint8(0))
        np.savez(folder / f"{name}.npz", residual=residual.astype(np.uint8), labels=label)


@pytest.mark.parametrize(
    ("write", "below"),
    [
        (write_binary, ""),
        (write_binary, "cifar-10-batches-bin"),
        (write_python, ""),
        (write_python, "cifar-10-batches-py"),
        (write_archive, ""),
        (write_residual, ""),
    ],
)
def test_cifar10_in_every_form(nowhere: Path, pictures: Any, write: Any, below: str) -> None:
    pixels, labels = pictures
    write(nowhere / below, pixels, labels)
    train, test = cifar10(nowhere), cifar10(nowhere, part="test")
    assert np.array_equal(np.round(train.images * 255), pixels[:5].reshape(-1, 3, 32, 32))
    assert np.array_equal(train.labels, labels[:5].ravel())
    assert np.array_equal(np.round(test.images * 255), pixels[5])
    assert np.array_equal(test.labels, labels[5])
    few = cifar10(nowhere, count=6)
    assert np.array_equal(few.labels, labels[:2].ravel()[:6])
    with pytest.raises(ValueError, match=r"CIFAR-10 \(train\) has 20 samples; got count=21"):
        cifar10(nowhere, count=21)


def test_cifar10_reads_no_more_batches_than_needed(nowhere: Path, pictures: Any) -> None:
    write_binary(nowhere, *pictures)
    (nowhere / "data_batch_3.bin").unlink()
    assert len(cifar10(nowhere, count=8)) == 8
    with pytest.raises(
        DataNotFoundError, match=r"data_batch_3\.bin is missing though its first batch is there"
    ):
        cifar10(nowhere)


def test_broken_cifar10(nowhere: Path, pictures: Any) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("code ran",)

    path = nowhere / "data_batch_1"
    for content, message in (
        (pickle.dumps(Evil()), "print does not belong into a data file"),
        (pickle.dumps({b"data": 1}), "is not a batch of CIFAR-10 for Python"),
        (b"\x80", "is not a batch of CIFAR-10 for Python"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            cifar10(nowhere)
    path.unlink()
    write_residual(nowhere, *pictures)
    np.savez(
        nowhere / "train_1of5.npz", residual=np.zeros((2, 1, 32, 32), np.uint8), labels=np.zeros(1, np.uint8)
    )
    with pytest.raises(DataError, match=r"shape \[2, 1, 32, 32\]; expected \[3, N, 32, 32\]"):
        cifar10(nowhere)
    (nowhere / "train_1of5.npz").write_bytes(b"PK\x03\x04rubbish")
    with pytest.raises(DataError, match=r"train_1of5\.npz cannot be read"):
        cifar10(nowhere)
    (nowhere / "test_first1000.npz").unlink()
    with pytest.raises(DataNotFoundError, match=r"CIFAR-10 \(test\): .* has no file of the test part"):
        cifar10(nowhere, part="test")
    (nowhere / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(b"not a tar archive" * 100))
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz cannot be unpacked"):
        cifar10(nowhere)
    write_binary(nowhere, *pictures)
    (nowhere / "data_batch_1.bin").write_bytes(bytes(3074))
    with pytest.raises(DataError, match="has 3074 bytes, not a multiple of 3073"):
        cifar10(nowhere)
    (nowhere / "data_batch_1.bin").write_bytes(bytes([10]) + bytes(3072))
    with pytest.raises(DataError, match="1 labels up to 10; expected as many labels as images, 0 to 9"):
        cifar10(nowhere)


# --- N-MNIST ----------------------------------------------------------------------------------------------------


def nmnist_samples() -> list[tuple[str, int, int, Events]]:
    rng = np.random.default_rng(2)
    rows = [("Train", 5, 1), ("Train", 0, 2), ("Train", 4, 10), ("Test", 7, 1), ("Test", 2, 2)]
    return [(*row, make_events(rng, 40 + 10 * k)) for k, row in enumerate(rows)]


def write_nmnist_layout(folder: Path) -> None:
    for part, label, number, events in nmnist_samples():
        place = folder / part / str(label)
        place.mkdir(parents=True, exist_ok=True)
        write_nmnist(place / f"{number:05d}.bin", events)


def write_nmnist_archive(folder: Path, split: bool) -> None:
    for part, label, number, events in nmnist_samples():
        with zipfile.ZipFile(folder / (f"{part}.zip" if split else "small.zip"), "a") as archive:
            archive.writestr(f"{part}/{label}/{number:05d}.bin", encode_nmnist(events))
            archive.writestr(f"__MACOSX/{part}/{label}/._{number:05d}.bin", b"x")


@pytest.mark.parametrize(
    "write",
    [
        write_nmnist_layout,
        lambda folder: write_nmnist_archive(folder, False),
        lambda folder: write_nmnist_archive(folder, True),
        lambda folder: ((folder / "nmnist").mkdir(), write_nmnist_layout(folder / "nmnist")),
    ],
)
def test_nmnist_in_every_form(nowhere: Path, write: Any) -> None:
    write(nowhere)
    expected = [events for part, _, _, events in nmnist_samples() if part == "Train"]
    data = nmnist(nowhere)
    assert data.labels.tolist() == [5, 0, 4]
    assert len(data) == 3
    assert not data.simulated
    assert all(same(one, other) for one, other in zip(data, expected, strict=True))
    assert same(data[1], expected[1])
    assert nmnist(nowhere, "test").labels.tolist() == [7, 2]
    assert nmnist(nowhere, count=2).labels.tolist() == [5, 0]
    for steps in (1, 4):
        by_count, by_time = data.frames_by_count(steps), data.frames_by_time(steps, np.float32)
        assert by_count.shape == (3, steps, 2, 34, 34)
        assert (by_count.dtype, by_time.dtype) == (np.uint8, np.float32)
        for index, events in enumerate(expected):
            assert np.array_equal(by_count[index], frames_by_count(events, steps, 34, 34))
            assert np.array_equal(by_time[index], frames_by_time(events, steps, 34, 34))
    part = data.subset([2, 0])
    assert part.labels.tolist() == [4, 5]
    assert same(part[0], expected[2])
    assert data.subset(np.empty(0, int)).frames_by_count(4).shape == (0, 4, 2, 34, 34)
    keep, out = data.split(1.0)
    assert (len(keep), len(out)) == (0, 3)


def test_broken_nmnist(nowhere: Path) -> None:
    write_nmnist_layout(nowhere)
    cut = nowhere / "Train" / "5" / "00001.bin"
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"00001\.bin has 199 bytes, 4 more than 39 records"):
        nmnist(nowhere).frames_by_count(2)
    (nowhere / "Train" / "5" / "copy.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"copy\.bin is not named <label>/<id>\.bin"):
        nmnist(nowhere)


def test_broken_archives(nowhere: Path) -> None:
    write_nmnist_archive(nowhere, False)
    path = nowhere / "small.zip"
    raw = path.read_bytes()
    assert nmnist(nowhere)[0].size == 40
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"small\.zip is not a whole zip archive"):
        nmnist(nowhere)
    first = encode_nmnist(nmnist_samples()[0][3])
    assert raw.count(first) == 1  # stored without compression
    path.write_bytes(raw.replace(first, bytes(len(first))))
    with pytest.raises(DataError, match=r"Train/5/00001\.bin cannot be read \(Bad CRC-32"):
        _ = nmnist(nowhere)[0]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "nothing here")
    with pytest.raises(DataNotFoundError, match=r"has no Train/<label>/<id>\.bin, nor an archive with them"):
        nmnist(nowhere)


# --- the simulation ---------------------------------------------------------------------------------------------


def test_simulation_is_the_camera_before_the_digits() -> None:
    data = simulated_nmnist("test", 20)
    images = digits("test", 20)
    assert data.simulated
    assert "simulated" in data.name
    assert np.array_equal(data.labels, images.labels)
    shown = np.zeros((20, 28, 28))
    shown[:, 4:24, 4:24] = resize(images.images[:, 0], 20, 20)
    assert all(same(one, other) for one, other in zip(data, Camera().record(shown), strict=True))
    again = simulated_nmnist("test", 18)
    assert all(same(again[i], data[i]) for i in range(18))


def test_noise_differs_between_the_parts() -> None:
    camera = Camera(noise=5.0, interval=10_000)
    train, test = (simulated_nmnist(part, 1, camera) for part in ("train", "test"))
    quiet = simulated_nmnist("train", 1, Camera(interval=10_000))
    assert train[0].size > quiet[0].size + 1_000
    black = np.zeros((1, 28, 28))
    assert not same(camera.record(black, 0)[0], camera.record(black, 1_000_000)[0])
    assert test[0].size > 1_000


def test_event_digits_says_what_it_is(nowhere: Path) -> None:
    simulated = event_digits(train=12, test=5, steps=4)
    assert simulated.simulated
    assert not simulated.real
    assert simulated.name == "simulated N-MNIST"
    assert "simulated" in simulated.source
    assert simulated.train_frames.shape == (12, 4, 2, 34, 34)
    assert simulated.train_frames.dtype == np.uint8
    expected = simulated_nmnist("train", 12)
    assert np.array_equal(simulated.train_frames, expected.frames_by_count(4))
    assert np.array_equal(simulated.test_labels, digits("test", 5).labels)
    write_nmnist_layout(nowhere / "real")
    real = event_digits(nowhere / "real", steps=3)
    assert real.real
    assert real.name == "N-MNIST"
    assert "3 training and 2 test recordings of N-MNIST" in real.source
    assert np.array_equal(real.test_frames, nmnist(nowhere / "real", "test").frames_by_count(3))
    shapes = [tuple(tensor.shape) for tensor in real.tensors()]
    assert shapes == [(3, 3, 2, 34, 34), (3,), (2, 3, 2, 34, 34), (2,)]
    assert event_digits(nowhere / "real", train=2, test=1, simulated=True).simulated
    with pytest.raises(DataNotFoundError, match="N-MNIST was not found in"):
        event_digits(nowhere)


def test_event_digits_finds_real_recordings(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_nmnist_layout(nowhere / "nmnist")
    monkeypatch.setenv("SNNKIT_DATA", str(nowhere))
    assert event_digits().real


def test_written_folder_reads_back(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = simulated_nmnist("train", 15, progress=True), simulated_nmnist("test", 4)
    out = nowhere / "made" / "here"
    assert write_nmnist_folder(out, train, test, progress=True) == 19
    assert "simulating" in capsys.readouterr().err
    back = nmnist(out)
    assert np.array_equal(back.labels, train.labels)
    assert all(same(one, other) for one, other in zip(back, train, strict=True))
    assert np.array_equal(nmnist(out, "test").labels, test.labels)
    with pytest.raises(FileExistsError, match="exists and is not an empty folder"):
        write_nmnist_folder(out, train, test)


def test_a_failed_write_leaves_nothing(nowhere: Path) -> None:
    rng = np.random.default_rng(3)
    wide = make_events(rng, side=400)
    data = EventData((lambda: wide,), np.zeros(1, np.int64), "wide", ("0",), 400, 400)
    with pytest.raises(ValueError, match="8 bits for a coordinate"):
        write_nmnist_folder(nowhere / "out", data, data)
    assert list(nowhere.iterdir()) == []


# --- CIFAR10-DVS and DVS Gesture --------------------------------------------------------------------------------


@pytest.mark.parametrize("archived", [False, True])
def test_cifar10_dvs(nowhere: Path, archived: bool) -> None:
    rng = np.random.default_rng(4)
    written: dict[tuple[int, int], Events] = {}
    for label, word in enumerate(CATALOGUE_CLASSES):
        (nowhere / word).mkdir()
        for number in range(10):
            written[label, number] = make_events(rng, 30, 128)
            write_aedat2(
                nowhere / word / f"cifar10_{word}_{number}.aedat", written[label, number], CIFAR10_DVS
            )
        if archived:
            with zipfile.ZipFile(nowhere / f"{word}.zip", "w") as archive:
                for path in (nowhere / word).iterdir():
                    archive.write(path, f"{word}/{path.name}")
                    path.unlink()
            (nowhere / word).rmdir()
    train, test = cifar10_dvs(nowhere, held_out=0.2), cifar10_dvs(nowhere, "test", held_out=0.2)
    assert (len(train), len(test)) == (80, 20)
    assert np.bincount(train.labels).tolist() == [8] * 10
    assert np.bincount(test.labels).tolist() == [2] * 10
    assert "seed 0" in train.name
    contents = {events.t.tobytes(): key for key, events in written.items()}
    keys = {
        part: [contents[events.t.tobytes()] for events in data] for part, data in (("a", train), ("b", test))
    }
    assert [label for label, _ in keys["a"]] == train.labels.tolist()
    assert sorted(keys["a"] + keys["b"]) == sorted(written)
    assert same(test[0], written[keys["b"][0]])
    other = cifar10_dvs(nowhere, "test", held_out=0.2, seed=1)
    assert [contents[events.t.tobytes()] for events in other] != keys["b"]
    assert cifar10_dvs(nowhere, count=3).frames_by_count(2).shape == (3, 2, 2, 128, 128)


CATALOGUE_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_broken_cifar10_dvs(nowhere: Path) -> None:
    events = make_events(np.random.default_rng(5), 30, 128)
    (nowhere / "airplane").mkdir()
    write_aedat2(nowhere / "airplane" / "cifar10_airplane_0.aedat", events, CIFAR10_DVS)
    with pytest.raises(DataNotFoundError, match=r"no recordings of automobile \(automobile/\*\.aedat"):
        cifar10_dvs(nowhere)
    write_aedat2(nowhere / "airplane" / "other.aedat", events, CIFAR10_DVS)
    with pytest.raises(DataError, match="other does not end in _<number>"):
        cifar10_dvs(nowhere)


def write_gestures(folder: Path) -> Events:
    folder.mkdir(exist_ok=True)
    events = make_events(np.random.default_rng(6), 3_000, 128, 1_000_000)
    for person, part in (("user01_led", "train"), ("user02_lab", "test")):
        write_aedat3(folder / f"{person}.aedat", events, packet=100)
        (folder / f"{person}_labels.csv").write_text(
            "class,startTime_usec,endTime_usec\n1,100000,300000\n11,250000,999999\n"
        )
        (folder / f"trials_to_{part}.txt").write_text(f"{person}.aedat\n")
    return events


def test_dvs_gesture(nowhere: Path) -> None:
    events = write_gestures(nowhere / "DvsGesture")
    for part in ("train", "test"):
        data = dvs_gesture(nowhere, part)
        assert data.labels.tolist() == [0, 10]
        assert same(data[0], events.between(100_000, 300_000))
        assert same(data[1], events.between(250_000, 999_999))
    assert data.classes[10] == "other gestures"
    assert dvs_gesture(nowhere, count=1).frames_by_time(3).shape == (1, 3, 2, 128, 128)
    folder = nowhere / "DvsGesture"
    (folder / "user01_led_labels.csv").unlink()
    with pytest.raises(
        DataNotFoundError, match=r"user01_led_labels\.csv, named in trials_to_train\.txt, is missing"
    ):
        dvs_gesture(nowhere)
    (folder / "trials_to_test.txt").unlink()
    with pytest.raises(DataNotFoundError, match=r"trials_to_test\.txt is missing"):
        dvs_gesture(nowhere, "test")


def test_four_gestures(nowhere: Path) -> None:
    rng = np.random.default_rng(7)
    written, arrays = {}, {}
    for name in ("hand_clapping", "right_hand_wave", "left_hand_wave", "other_gestures"):
        events = make_events(rng, 200, 128, 60_000)
        written[name] = events
        arrays |= {f"{name}_{field}": getattr(events, field).astype(np.uint8) for field in "xyp"}
        arrays[f"{name}_t0"] = np.uint32(1_000)
        arrays[f"{name}_dt"] = np.diff(events.t, prepend=1_000 + 0 * events.t[:1]).astype(np.uint16)
    path = nowhere / "dvs128_gesture_4.npz"
    np.savez(path, **arrays)
    data = dvs_gesture(nowhere)
    assert data.labels.tolist() == [0, 1, 2, 10]
    for events, (name, expected) in zip(data, written.items(), strict=True):
        assert np.array_equal(events.x, expected.x), name
        assert np.array_equal(np.diff(events.t), np.diff(expected.t))
    with pytest.raises(DataNotFoundError, match="four recordings of one person and no test part"):
        dvs_gesture(nowhere, "test")
    path.write_bytes(b"PK\x03\x04rubbish")
    with pytest.raises(DataError, match=r"dvs128_gesture_4\.npz cannot be read"):
        _ = dvs_gesture(nowhere)[0]


# --- downloads, from a server on this machine -------------------------------------------------------------------


@pytest.fixture
def server(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = nowhere / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/", folder
        running.shutdown()
        thread.join()


def offer(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path) -> None:
    rng = np.random.default_rng(8)
    write_idx(folder, "train", rng.integers(0, 256, (5, 28, 28)), rng.integers(0, 10, 5))
    write_idx(folder, "t10k", rng.integers(0, 256, (2, 28, 28)), rng.integers(0, 10, 2))
    items = tuple(
        Download(url + path.name, path.name, hashlib.md5(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
    )
    monkeypatch.setitem(CATALOGUE, "mnist", replace(CATALOGUE["mnist"], downloads=items))


def test_fetch_checks_and_fills_the_cache(
    nowhere: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, *server)
    with pytest.raises(DataNotFoundError):
        mnist()
    assert datasets.fetch("mnist", progress=False) == nowhere / "cache" / "mnist"
    assert len(mnist()) == 5
    assert len(mnist(part="test")) == 2
    for path in server[1].iterdir():
        path.unlink()
    datasets.fetch("mnist", progress=False)  # nothing left to get: the files are there and whole


def test_fetch_refuses_a_wrong_checksum(
    nowhere: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, *server)
    for path in server[1].iterdir():
        path.write_bytes(b"something else")
    with pytest.raises(
        DataError, match=r"could not fetch http://127.*ubyte\.gz: .*hash.*by hand as t10k-images"
    ) as caught:
        datasets.fetch("mnist", nowhere / "to", progress=False)
    assert "\n" not in str(caught.value)
    assert not (nowhere / "to").exists()


def test_fetch_without_a_server_or_a_file(
    nowhere: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, *server)
    (server[1] / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match="404"):
        datasets.fetch("mnist", nowhere / "to", progress=False)
    kept = sorted(path.name for path in (nowhere / "to" / "mnist").iterdir())
    assert kept == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]  # whole files stay, nothing else
    offer(monkeypatch, "http://127.0.0.1:9/", server[1])
    with pytest.raises(
        DataError, match=r"could not fetch http://127\.0\.0\.1:9/.*: .*refused; check the network"
    ):
        datasets.fetch("mnist", nowhere / "other", progress=False)
    with pytest.raises(ValueError, match="DVS128 Gesture cannot be downloaded directly: get it from https"):
        datasets.fetch("dvs_gesture")


# --- the real data ----------------------------------------------------------------------------------------------


def md5(*arrays: Any) -> str:
    return hashlib.md5(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@pytest.mark.data
def test_real_images_have_the_published_checksums() -> None:
    for load, part, images, labels in (
        (mnist, "test", "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"),
        (fashion_mnist, "test", "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"),
    ):
        data = load(part=part)
        assert len(data) == 10_000
        pixels = np.round(data.images[:, 0] * 255)
        assert hashlib.md5(idx_bytes(pixels)).hexdigest() == images
        assert hashlib.md5(idx_bytes(data.labels)).hexdigest() == labels
    assert len(fashion_mnist()) == 10_000


@pytest.mark.slow
@pytest.mark.data
def test_first_real_batch_of_cifar10_has_the_published_checksum() -> None:
    data = cifar10(count=10_000)
    pixels = np.round(data.images * 255).astype(np.uint8)
    assert hashlib.md5(binary_bytes(pixels, data.labels.astype(np.uint8))).hexdigest() == (
        "5dd7e06a14cb22eb9f671a540d1b7c25"
    )
    test = cifar10(part="test")
    assert np.bincount(test.labels).tolist() == [103, 89, 100, 103, 90, 86, 112, 102, 106, 109]


def polarity_against_movement(recordings: list[Events], images: Any, stroke: int) -> float:
    """Mean correlation of ON - OFF per pixel with the rate of change that the saccades imply for bright strokes."""
    found = []
    ends = [np.array(saccade_path(k * stroke, stroke, 1.0)) for k in range(4)]
    for events, image in zip(recordings, images, strict=True):
        rows, columns = np.gradient(np.pad(image, 3))
        for k in range(3):
            part = events.between(k * stroke, (k + 1) * stroke)
            net = np.zeros((34, 34))
            np.add.at(net, (part.y, part.x), 2.0 * part.p - 1.0)
            dx, dy = ends[k + 1] - ends[k]
            found.append(np.corrcoef(net.ravel(), -(dx * columns + dy * rows).ravel())[0, 1])
    return float(np.mean(found))


@pytest.mark.data
def test_polarity_of_the_real_recordings_is_opposite_to_the_simulation() -> None:
    images = mnist(count=300).images[:, 0]
    assert polarity_against_movement(list(nmnist(count=300)), images, 105_000) < -0.25
    assert polarity_against_movement(Camera().record(images[:60]), images[:60], 100_000) > 0.2


@pytest.mark.data
def test_real_recordings() -> None:
    train, test = nmnist(), nmnist(part="test")
    assert np.bincount(train.labels).tolist() == [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
    assert np.bincount(test.labels).tolist() == [8, 14, 8, 11, 14, 7, 10, 15, 2, 11]
    assert np.array_equal(train.labels, mnist(count=1000).labels)
    frames = train.frames_by_count(20)
    assert frames.shape == (1000, 20, 2, 34, 34)
    assert int(frames.sum(dtype=np.int64)) == 4_133_231
    assert event_digits(train=10, test=10).real
    gestures = dvs_gesture()
    assert [events.size for events in gestures] == [97_957, 256_917, 230_260, 246_944]
