"""N-MNIST: decoding and frames against a plain read and copy, SpikingJelly and tonic (``python -m benchmarks.events``).

Uses the recordings under ``SNNKIT_DATA``; without them simulated ones, and the notes say so.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import BenchmarkRow, Ratio, compare
from snnkit.events import (
    Camera,
    Events,
    encode_nmnist,
    frames_by_count,
    frames_by_time,
    read_nmnist,
)

STEPS, SIDE = 20, 34
FILES = 400


def spikingjelly_events() -> dict[str, Callable[..., Any]]:
    """Return the event functions of SpikingJelly's ``datasets/utils.py``.

    The package ``spikingjelly.datasets`` imports torchvision, which does not load beside CPU torch; so the functions,
    which need numpy only, are taken from the file one by one.
    """
    found = importlib.util.find_spec("spikingjelly")
    if found is None or found.origin is None:
        return {}
    source = Path(found.origin).parent / "datasets" / "utils.py"
    wanted = {
        "load_ATIS_bin",
        "integrate_events_segment_to_frame",
        "cal_fixed_frames_number_segment_index",
        "integrate_events_by_fixed_frames_number",
    }
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in wanted]
    for node in tree.body:
        assert isinstance(node, ast.FunctionDef)
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
    space: dict[str, Any] = {"np": np}
    exec(compile(tree, str(source), "exec"), space)
    return {name: space[name] for name in wanted if name in space}


def _write_recordings(folder: Path) -> tuple[list[Path], str]:
    """Put recordings into ``folder`` as single files; return them and where they come from."""
    root = os.environ.get("SNNKIT_DATA", "")
    archive = Path(root) / "nmnist" / "nmnist_small.zip"
    if root and archive.is_file():
        with zipfile.ZipFile(archive) as members:
            names = [
                name for name in members.namelist() if name.startswith("Train/") and name.endswith(".bin")
            ]
            contents = [members.read(name) for name in names[:FILES]]
        origin = f"{len(contents)} real N-MNIST recordings"
    else:
        images = np.random.default_rng(0).random((FILES, 7, 7)) ** 3
        # with noise, because SpikingJelly's cut by time fails on a silent bin
        contents = [encode_nmnist(events) for events in Camera(noise=5.0).record(images)]
        origin = f"{len(contents)} simulated recordings (SNNKIT_DATA is not set)"
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"{number:05d}.bin"
        path.write_bytes(content)
        paths.append(path)
    return paths, origin


def _each(function: Callable[[Any], object], items: list[Any]) -> Callable[[], None]:
    def run() -> None:
        for item in items:
            function(item)

    return run


def _entry(name: str, ratios: dict[str, Ratio], bar: float | None, note: str) -> BenchmarkRow:
    own = ratios.pop("own")
    peers = {peer: ratio.median for peer, ratio in ratios.items()}
    return BenchmarkRow(name, own.median, (own.low, own.high), peers, bar=bar, note=note)


def entries(rounds: int = 25) -> list[BenchmarkRow]:
    """Return the rows ``events_decode`` and ``events_frames``."""
    with tempfile.TemporaryDirectory() as folder:
        paths, origin = _write_recordings(Path(folder))
        return [
            _decode(paths, origin, rounds),
            _frames([read_nmnist(path) for path in paths], origin, rounds),
        ]


def _decode(paths: list[Path], origin: str, rounds: int) -> BenchmarkRow:
    def read_and_copy(path: Path) -> object:
        with open(path, "rb") as file:
            return np.frombuffer(file.read(), np.uint8).copy()

    variants = {"own": _each(read_nmnist, paths)}
    peers = spikingjelly_events()
    if peers:
        variants["spikingjelly"] = _each(peers["load_ATIS_bin"], paths)
    if importlib.util.find_spec("tonic"):
        from tonic.datasets import NMNIST
        from tonic.io import read_mnist_file

        variants["tonic"] = _each(lambda path: read_mnist_file(str(path), dtype=NMNIST.dtype), paths)
    ratios = compare(_each(read_and_copy, paths), variants, rounds)
    return _entry(
        "events_decode", ratios, 2.5 if "real" in origin else None, f"floor: plain read and copy; {origin}"
    )


def _frames(recordings: list[Events], origin: str, rounds: int) -> BenchmarkRow:
    block = np.zeros((STEPS, 2, SIDE, SIDE), np.float32)

    def zero_and_copy(_: Events) -> object:
        return np.zeros_like(block).copy()

    variants: dict[str, Callable[[], object]] = {
        "own": _each(lambda events: frames_by_count(events, STEPS, SIDE, SIDE), recordings),
        "own, by time": _each(lambda events: frames_by_time(events, STEPS, SIDE, SIDE), recordings),
    }
    peers = spikingjelly_events()
    if peers:
        integrate = peers["integrate_events_by_fixed_frames_number"]
        fields = [{name: getattr(events, name) for name in "txyp"} for events in recordings]
        variants["spikingjelly"] = _each(lambda each: integrate(each, "number", STEPS, SIDE, SIDE), fields)
        variants["spikingjelly, by time"] = _each(
            lambda each: integrate(each, "time", STEPS, SIDE, SIDE), fields
        )
    if importlib.util.find_spec("tonic"):
        from tonic.io import make_structured_array
        from tonic.transforms import ToFrame

        records = [make_structured_array(events.x, events.y, events.t, events.p) for events in recordings]
        size = (SIDE, SIDE, 2)
        variants["tonic"] = _each(ToFrame(sensor_size=size, n_event_bins=STEPS), records)
        variants["tonic, by time"] = _each(ToFrame(sensor_size=size, n_time_bins=STEPS), records)
    ratios = compare(_each(zero_and_copy, recordings), variants, rounds)
    own = ratios["own"].median
    bars = [
        f"{peer} {ratios[peer].median / own:.1f} x (bar {bar})"
        for peer, bar in (("tonic", 8), ("spikingjelly", 4))
        if peer in ratios
    ]
    # the bars are on the peers; the smaller of the two, as a ratio to the floor, is the one to compare with
    bounds = [
        ratios[peer].median / bar for peer, bar in (("tonic", 8), ("spikingjelly", 4)) if peer in ratios
    ]
    note = f"floor: one zeroed float32 frame block and a copy; {'; '.join(bars) or 'no peer installed'}; {origin}"
    bar = min(bounds, default=None) if "real" in origin else None
    return _entry("events_frames", ratios, bar, note)


if __name__ == "__main__":
    for entry in entries():
        low, high = entry.iqr
        print(
            f"{entry.name}: {entry.ratio_to_floor:.2f} x floor [{low:.2f}, {high:.2f}], bar {entry.bar or 0:.2f}"
        )
        for peer, ratio in entry.peers.items():
            print(f"    {peer}: {ratio:.2f} x floor")
        print(f"    {entry.note}")
