"""The interactive encoders against the library, for random pictures, and their digit against the data."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from snnkit import datasets, encoding

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures" / "encoders.js"
NODE = shutil.which("node")


def listed(spikes: Tensor, sign: int = 1) -> list[list[list[int]]]:
    """Steps and signs of each pixel, from [T, pixels]."""
    return [[[t, sign] for t in train.nonzero().flatten().tolist()] for train in spikes.T]


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_interactive_encoders_compute_what_the_library_computes(tmp_path: Path) -> None:
    assert NODE is not None
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    cases: list[dict[str, Any]] = []
    expected = []
    for steps in (1, 5, 24):
        values, draws, signal = draw(9), draw(steps, 9), draw(steps, 9)
        tau, theta = float(1 + 19 * draw(1)), float(0.05 + 0.5 * draw(1))
        currents = 3 * values
        cases.append(
            {
                "values": values.tolist(), "draws": draws.tolist(), "currents": currents.tolist(),
                "tau": tau, "steps": steps, "signal": signal.tolist(), "theta": theta,
            }
        )  # fmt: skip
        times = encoding.latency_encode(currents, tau=tau)
        code = encoding.delta_encode(signal, threshold=theta)
        both = [sorted(a + b) for a, b in zip(listed(code.on), listed(code.off, -1), strict=True)]
        expected.append([listed(draws < values), listed(encoding.times_to_spikes(times, steps)), both])
    script = tmp_path / "run.cjs"
    script.write_text(
        f"const {{ rate, latency, delta }} = require({json.dumps(str(SCRIPT))});\n"
        f"console.log(JSON.stringify({json.dumps(cases)}.map((c) =>\n"
        "  [rate(c.values, c.draws), latency(c.currents, c), delta(c.signal, c.theta)])));\n"
    )
    found = json.loads(subprocess.run([NODE, str(script)], check=True, capture_output=True, text=True).stdout)
    assert found == expected
    assert any(found[2][1])
    assert any(found[2][2])


def test_the_digit_is_one_of_the_data() -> None:
    match = re.search(r'"([0-9a-g]{64})"', SCRIPT.read_text(encoding="utf-8"))
    assert match
    pixels = torch.tensor([int(c, 17) / 16 for c in match[1]])
    images, labels = datasets.digits().tensors()
    same = (images.flatten(1) - pixels).abs().amax(1) < 1e-6
    assert labels[same].tolist() == [2]
