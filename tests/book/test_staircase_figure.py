"""The interactive staircase against the library and against the simulated neuron, for random parameters."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from snnkit.conversion import clip_floor
from snnkit.conversion.errors import split_errors
from snnkit.conversion.unevenness import fire

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures" / "staircase.js"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_interactive_staircase_computes_what_the_library_computes(tmp_path: Path) -> None:
    assert NODE is not None
    generator = torch.Generator().manual_seed(11)
    cases = []
    for index in range(300):  # dyadic numbers, for which the sums and the floor are exact
        eighths, quarters, steps = (
            int(torch.randint(low, high, (), generator=generator))
            for low, high in ((-8, 25), (1, 9), (1, 17))
        )
        threshold = quarters / 4
        cases.append({"z": eighths / 8, "threshold": threshold, "steps": steps})
        cases[-1]["initial"] = threshold / 2 * (index % 2)
    script = tmp_path / "run.cjs"
    script.write_text(
        f"const {{ split }} = require({json.dumps(str(SCRIPT))});\n"
        f"console.log(JSON.stringify({json.dumps(cases)}.map((c) => split(c.z, c))));\n"
    )
    found = json.loads(subprocess.run([NODE, str(script)], check=True, capture_output=True, text=True).stdout)
    for case, split in zip(cases, found, strict=True):
        z = torch.tensor(case["z"], dtype=torch.float64)
        theta, initial = torch.tensor(case["threshold"], dtype=torch.float64), case["initial"]
        steps = case["steps"]
        firing = fire(z.expand(steps), theta, initial)
        count = firing.spikes.sum()
        errors = split_errors(z, count, firing.v_end, threshold=theta, steps=steps)
        average = clip_floor(z, threshold=theta, initial=initial, steps=steps)
        assert split["count"] == int(count)
        assert float(errors.unevenness) == 0
        assert split["average"] == pytest.approx(float(average), abs=1e-12)
        assert split["quantisation"] == pytest.approx(float(errors.quantisation), abs=1e-12)
        assert split["clipping"] == pytest.approx(float(errors.clipping), abs=1e-12)
