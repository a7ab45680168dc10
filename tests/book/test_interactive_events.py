"""The event replay against ``snnkit.events``."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from snnkit import datasets, events

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures" / "events.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def _run(program: str):
    head = f"const figure = require({json.dumps(str(SCRIPT))});\n"
    found = subprocess.run([str(NODE), "-e", head + program], check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


def _arrays(found):
    return [np.array([event[name] for event in found]) for name in "xypt"]


def test_records_are_decoded_as_the_library_decodes_them():
    raw = np.random.default_rng(3).integers(0, 256, 5 * 400).astype(np.uint8)
    found = _arrays(_run(f"console.log(JSON.stringify(figure.decode({raw.tolist()})))"))
    expected = events.decode_nmnist(raw.tobytes())
    for values, wanted in zip(found, (expected.x, expected.y, expected.p, expected.t), strict=True):
        assert values.tolist() == wanted.tolist()


def test_recording_is_the_simulated_one_that_it_says_it_is():
    digit = datasets.digits(count=12).images[3, 0]
    camera = events.Camera(sensor=17, image=14, threshold=0.5)
    expected = events.saccade_camera(digit, camera)
    found = events.Events(*_arrays(_run("console.log(JSON.stringify(figure.recording()))")))
    assert events.encode_nmnist(found) == events.encode_nmnist(expected)


def test_window_is_summed_as_a_frame_of_the_library():
    program = "console.log(JSON.stringify([[0, 3e5], [35e3, 5e4], [1e5, 101e3]].map(([a, b]) => figure.count(figure.recording(), a, b, figure.SIZE))))"
    recording = events.Events(*_arrays(_run("console.log(JSON.stringify(figure.recording()))")))
    for frame, (start, stop) in zip(
        _run(program), ((0, 300_000), (35_000, 50_000), (100_000, 101_000)), strict=True
    ):
        part = recording.between(start, stop)
        assert part.size or sum(map(sum, frame)) == 0
        if part.size:
            expected = events.frames_by_count(part, 1, 17, 17)[0]
            assert np.array(frame).reshape(2, 17, 17).tolist() == expected.tolist()
