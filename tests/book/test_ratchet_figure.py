"""The interactive ratchet against the library, on random dyadic currents."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from snnkit.conversion import unevenness
from snnkit.conversion.studies import STUDIES

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures" / "ratchet.js"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_interactive_ratchet_computes_what_the_library_computes(tmp_path: Path) -> None:
    assert NODE is not None
    generator = torch.Generator().manual_seed(5)
    cases = []
    for index in range(400):
        currents = torch.randint(-10, 11, (1 + index % 9,), generator=generator) / 4
        v0 = float(torch.randint(0, 4, (), generator=generator)) / 4
        cases.append({"currents": currents.tolist(), "v0": v0})
    cases += [{"currents": list(study.currents), "v0": study.v0} for study in STUDIES.values()]
    cases += [{"currents": [2.0, 2.0, 1.0], "v0": 0.0}, {"currents": [-1.0, 0.5], "v0": 0.25}]
    script = tmp_path / "run.cjs"
    script.write_text(
        f"const {{ simulate }} = require({json.dumps(str(SCRIPT))});\n"
        f"console.log(JSON.stringify({json.dumps(cases)}.map((c) => simulate(c.currents, c.v0))));\n"
    )
    found = json.loads(subprocess.run([NODE, str(script)], check=True, capture_output=True, text=True).stdout)
    seen = set()
    for case, run in zip(cases, found, strict=True):
        currents, v0 = torch.tensor(case["currents"], dtype=torch.float64), case["v0"]
        steps = len(currents)
        firing = unevenness.fire(currents, v0=v0)
        verdict, excess = unevenness.classify_one(run["N"][-1], run["v"][-1], steps=steps)
        assert run["N"] == unevenness.ratchet(currents, v0=v0).tolist()
        assert run["N"][-1] == int(firing.spikes.sum())
        assert run["v"][-1] == pytest.approx(float(firing.v_end), abs=1e-12)
        assert run["X"] == pytest.approx((v0 + currents.cumsum(0)).tolist(), abs=1e-12)
        assert (run["verdict"], run["excess"]) == (verdict.name.lower(), excess)
        seen.add(run["verdict"])
    assert seen == {case.name.lower() for case in unevenness.Case}
