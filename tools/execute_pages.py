"""Execute the pages that changed, several at a time, into the cache that the build reads.

Sphinx executes one page after the other.  What is executed here is found there; a page that fails is left to it, so
that the error is reported where the page is read.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig

from tools.contents import contents

ROOT = Path(__file__).resolve().parent.parent
#: A page holds torch and takes about half a gigabyte.
WORKERS = 4


def pages() -> list[Path]:
    """Pages of the contents that hold code cells."""
    found = [ROOT / f"{name}.md" for name in contents(ROOT)]
    return [page for page in found if page.is_file() and "{code-cell}" in page.read_text(encoding="utf-8")]


def notebook_of(page: Path) -> Any:
    """The page as the notebook that the build will look for."""
    text = page.read_text(encoding="utf-8")
    reader = create_nb_reader(str(page), MdParserConfig(), NbParserConfig(), text)
    return None if reader is None else reader.read(text)


def execute(folder: Path, jobs: int, timeout: int) -> int:
    """Execute what the cache in ``folder`` lacks; the number of pages that were executed."""
    cache = get_cache(str(folder))
    options = {"timeout": timeout, "allow_errors": False, "meta_override": True}
    waiting = {}
    for page in pages():
        notebook = notebook_of(page)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            waiting[page] = notebook
    done = 0
    with ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(single_nb_execution, notebook, cwd=str(page.parent), **options): page
            for page, notebook in waiting.items()
        }
        for job in as_completed(running):
            page, result = running[job], job.result()
            if result.err is not None:
                continue
            bundle = CacheBundleIn(waiting[page], str(page), data={"execution_seconds": result.time})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            done += 1
            name = page.relative_to(ROOT).as_posix()
            print(f"executed {name} in {result.time:.0f} s ({done} of {len(waiting)})", flush=True)
    return done


if __name__ == "__main__":
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    execute(Path(sys.argv[1]), min(os.cpu_count() or 1, WORKERS), settings["execute"]["timeout"])
