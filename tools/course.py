"""``make course``: build the site and the exercises, grade the sample submissions, say where everything is."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PS = "ps2_surrogates"


def step(number: int, of: int, what: str, *command: str) -> None:
    print(f"\n[{number}/{of}] {what}", flush=True)
    start = time.monotonic()
    code = subprocess.run([sys.executable, *command], cwd=ROOT, check=False).returncode
    if code:
        sys.exit(f"make course: {what.lower()} failed (status {code}); the message is above")
    print(f"      done in {time.monotonic() - start:.0f} s", flush=True)


def main() -> None:
    step(1, 3, "Student notebooks", "-m", "autograder.cli", "release")
    step(2, 3, "Website", "tools/build_book.py")
    step(3, 3, "Sample submissions", "-m", "autograder.cli", "samples", PS)
    print(f"\nSite:      {(ROOT / 'build' / 'site' / 'index.html').as_uri()}  (or: make serve)")
    print(f"Exercises: {ROOT / 'exercises'}  (make lab opens them)")
    print(f"Grades:    {ROOT / 'build' / 'grades' / PS}")


if __name__ == "__main__":
    main()
