"""Every public module is reached by attributes from ``import snnkit`` alone, and no name hides one."""

from __future__ import annotations

import json
import subprocess
import sys

WALK = """
import json, pkgutil, sys
import snnkit

def forget():
    for name in [name for name in sys.modules if name.split(".")[0] == "snnkit"]:
        del sys.modules[name]

names = [module.name for module in pkgutil.walk_packages(snnkit.__path__, "snnkit.")]
wrong = {}
for name in [name for name in names if "._" not in name and "conversion." not in name]:
    forget()
    import snnkit
    found = snnkit
    try:
        for part in name.split(".")[1:]:
            found = getattr(found, part)
    except AttributeError as problem:
        wrong[name] = str(problem)
    else:
        if found is not sys.modules.get(name):
            wrong[name] = f"hidden by {found!r}"
print(json.dumps([len(names), wrong]))
"""


def test_attributes_reach_every_module() -> None:
    done = subprocess.run([sys.executable, "-c", WALK], capture_output=True, text=True, check=True)
    seen, wrong = json.loads(done.stdout.splitlines()[-1])
    assert seen > 20
    assert wrong == {}
