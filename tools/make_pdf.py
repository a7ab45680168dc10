"""Print the whole book into one file: ``python -m tools.make_pdf`` (``make pdf``), after the site was built.

Every page of the contents is printed by Chromium as a reader would print it, and the parts are joined with an outline.
The file lies in the site, and the landing page then links to it.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import Error, Page, sync_playwright
from pypdf import PdfWriter
from tqdm import tqdm

from tools.chromium import FLAGS, chromium
from tools.contents import pages

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"
NAME = "spiking-neural-networks.pdf"
LINK = re.compile(r'<p id="book-pdf"[^>]*>.*?</p>', flags=re.S)
FOOTER = (
    '<div style="font:8px sans-serif;width:100%;text-align:center;color:#555">'
    '<span class="title"></span> · <span class="pageNumber"></span></div>'
)

app = typer.Typer(add_completion=False)


def _print(page: Page, place: Path) -> tuple[str, bytes]:
    """Title and PDF of one page, its collapsed solutions open."""
    page.goto(place.as_uri())
    page.wait_for_load_state("load")
    page.evaluate("window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => 0) : 0")
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    title = page.locator("h1").first.inner_text().strip().rstrip("#").strip()
    margin = {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
    printed = page.pdf(
        format="A4",
        margin=margin,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
    )
    return title, printed


def make(site: Path, names: Sequence[str], out: Path, browser: str) -> int:
    """Print pages of a site into one PDF, replaced as a whole.

    Args:
        site: folder of the built site.
        names: pages, as paths in it, in order.
        out: the file to write.
        browser: path of a Chromium.

    Returns:
        The number of printed pages.

    Raises:
        FileNotFoundError: a page is not in the site.
    """
    absent = [name for name in names if not (site / name).is_file()]
    if absent:
        raise FileNotFoundError(f"{absent[0]} is not in {site}; build the site first: make site")
    book = PdfWriter()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = running.new_context(color_scheme="light", reduced_motion="reduce").new_page()
        for name in tqdm(names, desc="printing", unit="page"):
            title, printed = _print(page, site / name)
            first = len(book.pages)
            book.append(io.BytesIO(printed), import_outline=False)
            book.add_outline_item(title, first)
        running.close()
    book.add_metadata({"/Title": "Spiking neural networks", "/Author": "The snnkit course authors"})
    book.compress_identical_objects()
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    with draft.open("wb") as stream:
        book.write(stream)
    os.replace(draft, out)
    return len(book.pages)


def link(site: Path, name: str, pages: int) -> None:
    """Show the link to the PDF on the landing page, where its place is kept."""
    landing = site / "book" / "index.html"
    size = (site / name).stat().st_size / 1e6
    text = f'<p id="book-pdf"><a href="../{name}">The whole book as one PDF</a> ({pages} pages, {size:.1f} MB)</p>'
    changed, places = LINK.subn(lambda _: text, landing.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{landing} has {places} places for the link to the PDF; expected 1")
    landing.write_text(changed, encoding="utf-8")


@app.command(help=__doc__)
def main(site: Annotated[Path, typer.Option("--site", help="Folder of the built site.")] = SITE) -> None:
    """Print the book; the exit status is 2 when there is no Chromium or no site."""
    browser = chromium()
    try:
        if browser is None:
            raise OSError("Chromium was not found; install it or set CHROMIUM to its path")
        count = make(site, pages(), site / NAME, browser)
        link(site, NAME, count)
    except (OSError, ValueError, Error) as error:
        typer.echo(f"make pdf: {str(error).splitlines()[0]}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"The book was printed: {site / NAME} ({count} pages)")


if __name__ == "__main__":
    app()
