"""A student's way through an exercise: JupyterLab, a real browser, Run All, nbgrader's Validate button."""

from __future__ import annotations

import contextlib
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

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from autograder.source import solution_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PS = "ps2_surrogates"
expect.set_options(timeout=300_000)


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
    # A cell may take longer than nbgrader's 30 s where several tests share the machine.
    (home / "nbgrader_config.py").write_text("c = get_config()\nc.Execute.timeout = 480\n")
    environment = {**os.environ, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home), "PYTHONPATH": str(root)}
    environment.pop("SNNKIT_DATA", None)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", f"--ServerApp.root_dir={work}"]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = (work / "lab.log").open("w")
    server = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, (work / "lab.log").read_text()
                time.sleep(0.5)
        yield address, work
    finally:
        server.terminate()
        server.wait(timeout=120)
        log.close()


@pytest.fixture
def student(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1800, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(300_000)
    yield page
    context.close()


def paste_solution(root: Path, notebook: Path) -> None:
    """Put the reference answers into the student's cells, as a student types them, and leave the rest alone."""
    reference = solution_notebook(root, PS)
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


def accept_dialog(page: Page) -> None:
    """Answer what JupyterLab asks where it is slow to find the kernel."""
    answer = page.locator("dialog.jp-Dialog .jp-mod-accept")
    if answer.count():
        answer.first.click()


def menu(page: Page, name: str, entry: str) -> None:
    accept_dialog(page)
    page.get_by_role("menuitem", name=name, exact=True).click()
    page.get_by_role("menuitem", name=re.compile(f"^{entry}")).first.click()


def wait_until_idle(page: Page) -> None:
    """Wait for the kernel. A narrow window moves the indicator into a menu, which holds a second one."""
    indicator = page.locator(".jp-Notebook-ExecutionIndicator").first
    expect(indicator).to_have_attribute("data-status", "idle", timeout=480_000)


def code_cells(notebook: Path) -> list[nbformat.NotebookNode]:
    """The code cells of a saved notebook; none while the file is being written."""
    with contextlib.suppress(nbformat.reader.NotJSONError):
        saved = nbformat.read(notebook, as_version=4)
        return [cell for cell in saved.cells if cell.cell_type == "code" and cell.source.strip()]
    return []


def run_all(page: Page, notebook: Path) -> list[nbformat.NotebookNode]:
    """Run every cell, wait until each has run (the kernel is idle between two cells too), save; the code cells."""
    for _ in range(6):  # what is asked for while the kernel is not yet connected is lost
        menu(page, "Run", "Run All Cells")
        with contextlib.suppress(AssertionError):
            indicator = page.locator(".jp-Notebook-ExecutionIndicator").first
            expect(indicator).to_have_attribute("data-status", "busy", timeout=15_000)
            break
    end = time.monotonic() + 480
    while True:
        wait_until_idle(page)
        menu(page, "File", "Save Notebook")
        expect(page.locator(".jp-mod-current.jp-mod-dirty")).to_have_count(0)
        code = code_cells(notebook)
        if (code and all(cell.execution_count for cell in code)) or time.monotonic() > end:
            return code
        time.sleep(1)


def open_notebook(page: Page, address: str, name: str) -> None:
    """Open one notebook alone: without the reset JupyterLab brings back what an earlier visit left open."""
    page.goto(f"{address}/lab/tree/{PS}/{name}?reset")
    expect(page.locator("#jp-main-dock-panel .lm-TabBar-tab .lm-TabBar-tabLabel")).to_have_text([name])
    expect(page.locator(".jp-Toolbar-kernelName").first).to_contain_text("Python 3")
    wait_until_idle(page)


def validate(page: Page, address: str, name: str) -> str:
    open_notebook(page, address, name)
    button = page.get_by_role("button", name=re.compile("Validate"))
    expect(button).to_be_visible()
    button.click()
    dialog = page.locator(".jp-Dialog-content").filter(has_text=re.compile("Validation"))
    expect(dialog).to_be_visible(timeout=480_000)
    return dialog.inner_text()


def test_solution_runs_and_validates(root: Path, lab: tuple[str, Path], student: Page, shots: Path) -> None:
    address, work = lab
    notebook = work / PS / "solved.ipynb"
    shutil.copy(work / PS / f"{PS}.ipynb", notebook)
    paste_solution(root, notebook)

    open_notebook(student, address, "solved.ipynb")
    code = run_all(student, notebook)
    student.screenshot(path=shots / "lab-solved.png")
    assert code
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
