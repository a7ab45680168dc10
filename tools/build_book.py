"""Build the site: ``python tools/build_book.py [--out build/site]``.

The pages are executed, cross-references and citations are checked, and any warning fails the build.
What is unchanged is not built again: pages are read anew when they change, and executed anew when their
code, the library, a result file or an installed version changes.  The site in OUT is replaced as a whole
when the build has succeeded; the files that make the next build fast lie beside it, in ``OUT-work``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from autograder.files import digest, write_whole

ROOT = Path(__file__).resolve().parent.parent
#: A change here means that every page is executed again.
CODE = ("snnkit/**/*.py", "experiments/results/**/*.json", "constraints.txt", "book/_ext/*.py")
#: A change here means that the pages that changed are read again.
PAGES = (
    "book/**/*",
    "exercises/*/*.ipynb",
    "solutions/*/*.py",
    "autograder/checks/**/*.py",
    "solutions/*/samples.toml",
    "solutions/measured.json",
)
#: A change here means that every page is read again, because the navigation is on every page.
LAYOUT = ("_config.yml", "_toc.yml")
#: A change here means that every page is written again: each names the versions of these files.
STATIC = ("book/_static/**/*",)
DERIVED = "book/reference/api/"
#: Parts of the themes that no page uses.
UNUSED = ("_static/locales", "_static/images", "_sources", "reports")
#: Garbage is not collected: the search for it among millions of nodes that all stay takes half of the time.
#: The grammar of internationalised addresses, which jsonschema takes where it finds it, takes 1.5 s to load.
QUICK = "import gc, sys; gc.disable(); sys.modules['rfc3987_syntax'] = None; "
RUN = QUICK + "from jupyter_book.cli.main import main; main()"
EXECUTE = QUICK + "import runpy; runpy.run_module('tools.execute_pages', run_name='__main__', alter_sys=True)"
_ICON = r'"?[a-z0-9][a-z0-9-]*"?:\[\d+,\d+,\[[^\]]*\],"[0-9a-f]+",(?:"[^"]*"|\[(?:"[^"]*",?)*\])\]'
ICON = re.compile(_ICON)
ICONS = re.compile(rf"\{{(?:{_ICON},?)+\}}")
app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(
    out: Annotated[Path, typer.Option("--out", help="Folder of the site.")] = ROOT / "build" / "site",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget everything that was built before.")] = False,
) -> None:
    """Build what changed; the exit status is 0 when the site is complete and free of warnings."""
    if not _built(out.resolve(), fresh):
        raise typer.Exit(1)


def _built(out: Path, fresh: bool) -> bool:
    """Build what changed; True when the site is complete and free of warnings."""
    started = time.monotonic()
    work = out.with_name(out.name + "-work")
    if fresh:
        shutil.rmtree(work, ignore_errors=True)
    record, index = work / "state.json", out / "index.html"
    wanted, found = _state(), _read(record)
    if found == wanted and index.exists():
        print(f"The book is up to date: {index}")
        return True
    _forget(work / "_build", wanted, found)
    work.mkdir(parents=True, exist_ok=True)
    # A build that stops here keeps what was executed, and reads every page again: Sphinx repeats a warning
    # only when it does.
    write_whole(record, json.dumps({"code": wanted["code"]}).encode())
    status, problems = _run(work)
    if status or problems:
        _report(problems, status)
        return False
    _publish(work / "_build" / "html", out)
    write_whole(record, json.dumps(wanted, indent=1).encode())
    print(f"The book was built in {time.monotonic() - started:.0f} s: {index}")
    return True


def _state() -> dict[str, str]:
    return {
        "code": _digest(_files(CODE), sys.version),
        "pages": _digest(_files(PAGES)),
        "layout": _digest(_files(LAYOUT)),
        "static": _digest(_files(STATIC)),
    }


def _files(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and not _is_derived(path):
                yield path


def _is_derived(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return name.startswith(DERIVED) or "__pycache__" in name or ".ipynb_checkpoints" in name


def _digest(paths: Iterable[Path], *more: str) -> str:
    named = (
        part for path in paths for part in (path.relative_to(ROOT).as_posix().encode(), path.read_bytes())
    )
    return digest([*named, *(part.encode() for part in more)])


def _read(record: Path) -> dict[str, str]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _forget(build: Path, wanted: dict[str, str], found: dict[str, str]) -> None:
    """Remove what is out of date and would not be noticed by Sphinx or by the execution cache."""
    if found.get("code") != wanted["code"]:
        shutil.rmtree(build, ignore_errors=True)
    elif found.get("layout") != wanted["layout"]:
        shutil.rmtree(build / ".doctrees", ignore_errors=True)
        shutil.rmtree(build / "html", ignore_errors=True)
    elif found.get("static") != wanted["static"]:
        shutil.rmtree(build / "html", ignore_errors=True)


def _run(work: Path) -> tuple[int, list[str]]:
    """Run jupyter-book, show its progress, and return its exit status and the warnings."""
    command = [sys.executable, "-c", RUN, "build", str(ROOT), "--path-output", str(work)]
    executor = [sys.executable, "-c", EXECUTE, str(work / "_build" / ".jupyter_cache")]
    environment = os.environ | {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        "NO_COLOR": "1",
        "SOURCE_DATE_EPOCH": "1767225600",
    }
    executed = subprocess.run(
        executor, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    if executed.returncode:  # the build below executes what is missing, and reports what fails
        print(f"Pages could not be executed side by side: {executed.stderr.strip().splitlines()[-1]}")
    process = subprocess.Popen(
        [*command, "-n", "-W", "--keep-going"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    problems: list[str] = []
    tail: list[str] = []
    for raw in process.stdout:
        line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", raw).strip()
        tail = [*tail[-80:], line]
        if re.search(r"\b(WARNING|ERROR|CRITICAL): ", line):
            problems.append(line.replace(str(ROOT) + os.sep, ""))
        shown = re.match(
            r"(reading sources|writing output)\.\.\. \[\s*\d+%\] (\S+)|.*(Executing notebook).*", line
        )
        if shown:
            print(f"  {line.replace(str(ROOT) + os.sep, '')}", flush=True)
    status = process.wait()
    if status and not problems:
        problems = tail
    return status, problems


def _report(problems: list[str], status: int) -> None:
    print(f"\nThe book was not built: {len(problems)} problem(s), exit status {status}.", file=sys.stderr)
    for problem in dict.fromkeys(problems):
        print(f"  {problem}", file=sys.stderr)
        log = re.search(r"traceback saved in: (\S+)", problem)
        if log and (ROOT / log[1]).exists():
            trace = re.sub(r"\x1b\[[0-9;]*m", "", (ROOT / log[1]).read_text(encoding="utf-8"))
            print(textwrap.indent("\n".join(trace.strip().splitlines()[-12:]), "      "), file=sys.stderr)
    print("The site of the build before, if there was one, is untouched.", file=sys.stderr)


def _publish(built: Path, site: Path) -> None:
    """Copy the pages to their place without what no reader needs, then replace the old site at once."""
    fresh = site.with_name(site.name + "-new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(built, fresh, ignore=shutil.ignore_patterns("*.map", ".buildinfo*", ".doctrees"))
    for name in UNUSED:
        shutil.rmtree(fresh / name, ignore_errors=True)
    _keep_used_icons(fresh)
    old = site.with_name(site.name + "-old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    fresh.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def _keep_used_icons(site: Path) -> None:
    """Drop the drawings of icons that no page, script or style sheet names: they are 1.4 MB."""
    script = site / "_static" / "scripts" / "fontawesome.js"
    if not script.exists():
        return
    used: set[str] = set()
    for path in [*site.rglob("*.html"), *site.glob("_static/**/*.js")]:
        if path != script:
            used.update(re.findall(r"\bfa-([a-z0-9-]+)", path.read_text(encoding="utf-8", errors="replace")))
    text = script.read_text(encoding="utf-8")

    def keep(icons: re.Match[str]) -> str:
        names = {icon: set(re.findall(r"[a-z0-9-]+", icon.split("]")[0])) for icon in ICON.findall(icons[0])}
        return "{" + ",".join(icon for icon, known in names.items() if known & used) + "}"

    script.write_text(ICONS.sub(keep, text), encoding="utf-8")


if __name__ == "__main__":
    app()
