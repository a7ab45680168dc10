"""A student's way through an exercise: JupyterLab, a real browser, Run All, nbgrader's Validate button."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PS = "ps2_surrogates"
expect.set_options(timeout=90_000)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab on loopback over a copy of the exercise; yields its address and the folder it serves."""
    work = tmp_path_factory.mktemp("lab")
    shutil.copytree(root / "exercises" / PS, work / PS)
    port, home = free_port(), work / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home), "PYTHONPATH": str(root)}
    environment.pop("SNNKIT_DATA", None)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", f"--ServerApp.root_dir={work}"]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = (work / "lab.log").open("w")
    server = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, (work / "lab.log").read_text()
                time.sleep(0.5)
        yield address, work
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


@pytest.fixture
def student(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def paste_solution(root: Path, notebook: Path) -> None:
    """Put the reference answers into the student's cells, as a student types them, and leave the rest alone."""
    reference = jupytext.read(root / "solutions" / PS / f"{PS}.py")
    answers = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in reference.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    released = nbformat.read(notebook, as_version=4)
    pasted = 0
    for cell in released.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution") and not marks.get("locked") and marks["grade_id"] in answers:
            cell.source = answers[marks["grade_id"]]
            pasted += 1
    assert pasted >= 5
    nbformat.write(released, notebook)


def menu(page: Page, name: str, entry: str) -> None:
    page.get_by_role("menuitem", name=name, exact=True).click()
    page.get_by_role("menuitem", name=re.compile(f"^{entry}")).first.click()


def validate(page: Page, address: str, name: str) -> str:
    page.goto(f"{address}/lab/tree/{PS}/{name}")
    button = page.get_by_role("button", name=re.compile("Validate"))
    expect(button).to_be_visible()
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible()
    button.click()
    dialog = page.locator(".jp-Dialog-content").filter(has_text=re.compile("Validation"))
    expect(dialog).to_be_visible(timeout=480_000)
    return dialog.inner_text()


def test_solution_runs_and_validates(root: Path, lab: tuple[str, Path], student: Page, shots: Path) -> None:
    address, work = lab
    notebook = work / PS / "solved.ipynb"
    shutil.copy(work / PS / f"{PS}.ipynb", notebook)
    paste_solution(root, notebook)

    student.goto(f"{address}/lab/tree/{PS}/solved.ipynb")
    expect(student.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible()
    menu(student, "Run", "Run All Cells")
    indicator = student.locator(".jp-Notebook-ExecutionIndicator")
    expect(indicator).to_have_attribute("data-status", "busy")
    expect(indicator).to_have_attribute("data-status", "idle", timeout=480_000)
    student.screenshot(path=shots / "lab-solved.png")
    menu(student, "File", "Save Notebook")
    expect(student.locator(".jp-mod-current.jp-mod-dirty")).to_have_count(0)
    ran = nbformat.read(notebook, as_version=4)
    code = [cell for cell in ran.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in code)
    assert [out.get("evalue") for cell in code for out in cell.outputs if out.output_type == "error"] == []

    verdict = validate(student, address, "solved.ipynb")
    student.screenshot(path=shots / "lab-validated.png")
    assert "Success" in verdict, verdict


def test_untouched_release_does_not_validate(lab: tuple[str, Path], student: Page, shots: Path) -> None:
    address, _ = lab
    verdict = validate(student, address, f"{PS}.ipynb")
    student.screenshot(path=shots / "lab-untouched.png")
    assert "fail" in verdict.lower(), verdict
