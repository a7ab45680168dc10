"""Create the course's virtual environment: ``python tools/make_env.py .venv``.

Standard library only, since it runs before anything is installed. The whole course is installed by one pip call
under ``constraints.txt``. A failure leaves nothing half-installed behind when the environment was new.
"""

import os
import shutil
import subprocess
import sys
import time
import venv

NEED = (3, 11)
EXTRAS = "book,grading,postgres,dev,bench"
LOG = os.path.join("build", "install.log")
REASONS = (  # (words in pip's log, what to tell)
    (
        "No space left on device",
        "the disk is full: the environment takes about 2 GB; make room and run make again",
    ),
    ("name resolution", "no network: pip cannot look up the package index; connect and run make again"),
    ("NewConnectionError", "no network: pip cannot reach the package index; connect and run make again"),
    ("from versions: none", "no network: pip found no package at its index; connect and run make again"),
    ("ProxyError", "the proxy refuses pip; set HTTPS_PROXY (or pip's proxy setting) and run make again"),
    ("SSLError", "the package index's certificate was refused; set PIP_CERT and run make again"),
    (
        "No matching distribution",
        "the package index lacks a pinned version; see the log",
    ),
    ("ResolutionImpossible", "the pinned versions do not fit together on this Python; see the log"),
)


def fail(message):
    sys.exit("make: " + message)


def main(target):
    if sys.version_info < NEED:
        found = ".".join(map(str, sys.version_info[:3]))
        advice = "install one and run: make PYTHON=/path/to/python3.11 course"
        fail(f"the course needs Python 3.11 or newer; {sys.executable} is {found}; {advice}")
    os.makedirs("build", exist_ok=True)
    python = os.path.join(target, "bin", "python")
    new = not os.path.exists(python)
    try:
        if new:
            print(f"Creating {target} with Python {sys.version_info[0]}.{sys.version_info[1]}", flush=True)
            shutil.rmtree(target, ignore_errors=True)
            venv.create(target, with_pip=True, prompt="snnkit")
        code = install(python)
    except BaseException:
        if new:
            shutil.rmtree(target, ignore_errors=True)
        raise
    if code:
        if new:
            shutil.rmtree(target, ignore_errors=True)
        with open(LOG, errors="replace") as log:
            text = log.read()
        reason = next(
            (told for words, told in REASONS if words in text),
            f"pip failed with status {code}; see the log",
        )
        fail(f"the installation failed: {reason} (log: {LOG})")
    version = subprocess.run(
        [python, "-c", "import torch; print(torch.__version__, torch.version.cuda or 'CPU')"],
        capture_output=True,
        text=True,
    )
    if version.returncode:
        fail(f"torch was installed but cannot be imported: {version.stderr.strip().splitlines()[-1]}")
    print("Installed: torch", version.stdout.strip())


def install(python):
    """Run pip quietly, its output in the log, with a line of progress every ten seconds."""
    print(f"Installing the course and its packages (about 2 GB, 2 to 5 minutes; log: {LOG})", flush=True)
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--progress-bar",
        "off",
        "-c",
        "constraints.txt",
        "-e",
        f".[{EXTRAS}]",
    ]
    start = time.monotonic()
    with open(LOG, "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        while True:
            try:
                return process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                print(f"  {time.monotonic() - start:4.0f} s  {last_step()}", flush=True)
            except BaseException:
                process.kill()
                process.wait()
                raise


def last_step():
    with open(LOG, errors="replace") as log:
        steps = [line.strip() for line in log if line.startswith(("Collecting", "Building", "Installing"))]
    return steps[-1][:90] if steps else "starting"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/make_env.py DIRECTORY")
    main(sys.argv[1])
