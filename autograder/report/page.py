"""The frame of the HTML pages: one file, no script, no request; light and dark, narrow and wide, print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--paper:#fff;--soft:#f3f6fa;--rule:#c9cfd8;--quiet:#4d545e;--link:#0b5a97;
--blue:#0b62a4;--orange:#b04200;--green:#00694f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#14181d;--soft:#1f262e;--rule:#47505d;--quiet:#b4bcc8;
--link:#8cc5f8;--blue:#7cbcf5;--orange:#ff9d5c;--green:#6fd3b0}}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.25;margin:.3rem 0 .8rem}h2{font-size:1.2rem;margin:2.2rem 0 .5rem}
h3{font-size:1rem;margin:1rem 0 .3rem}p{margin:.5rem 0;max-width:46rem}
h1,h2,h3,p,li{overflow-wrap:anywhere}td,th{overflow-wrap:break-word}a{color:var(--link)}
.quiet{color:var(--quiet);font-size:.92rem}.sum{font-size:1.3rem;font-weight:650}
code{font-family:ui-monospace,monospace;font-size:.92em}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.4rem 0;padding:.5rem .7rem;background:var(--soft)}
.wide{overflow-x:auto;max-width:100%}.wide:focus-visible{outline:3px solid var(--blue)}
table{border-collapse:collapse;font-size:.95rem}caption{text-align:left;font-weight:600;padding:.3rem 0}
td,th{padding:.25rem .7rem .25rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody th{font-weight:400}tfoot td,tfoot th{font-weight:650;border-bottom:0}
section.part{border-top:1px solid var(--rule);margin-top:1.6rem}
ul.parts{list-style:none;margin:.4rem 0;padding:0}
ul.parts>li{border-left:4px solid var(--orange);padding:.15rem 0 .15rem .7rem;margin:.5rem 0}
ul.parts>li.right{border-color:var(--green)}ul.parts p{margin:.2rem 0}
.mark{font-weight:650;color:var(--orange)}.right .mark{color:var(--green)}
.note{border-left:4px solid var(--blue);background:var(--soft);padding:.4rem .8rem;margin:.7rem 0;max-width:46rem}
.pair{display:grid;gap:.5rem 2rem;grid-template-columns:minmax(0,27rem) minmax(0,1fr);align-items:start}
.pair svg{width:100%;height:auto;max-width:27rem}figure{margin:0}
@media(max-width:48rem){.pair{grid-template-columns:minmax(0,1fr)}td,th{padding-right:.45rem}}
@media print{main{max-width:none}section.part{break-inside:avoid}}
"""


def page(title: str, body: str) -> bytes:
    """A whole page.

    Args:
        title: plain text.
        body: HTML, a first heading included.
    """
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    ).encode()


def code(text: str) -> str:
    """Escaped text in which `words` become code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text))


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
    foot: Sequence[str] = (),
) -> str:
    """A table that scrolls in its own box where the page is narrow; the first cell of a row is its heading.

    Args:
        caption: plain text.
        heads: plain text.
        rows: HTML, one cell each.
        numbers: columns that are set flush right.
        foot: HTML of a last row, or nothing.
    """
    right = frozenset(numbers)

    def cell(kind: str, column: int, inner: str, scope: str = "") -> str:
        flush = ' class="n"' if column in right else ""
        return f"<{kind}{flush}{scope}>{inner}</{kind}>"

    def line(cells: Sequence[str]) -> str:
        first = cell("th", 0, cells[0], ' scope="row"')
        return f"<tr>{first}{''.join(cell('td', at, one) for at, one in enumerate(cells[1:], start=1))}</tr>"

    head = "".join(cell("th", at, escape(one), ' scope="col"') for at, one in enumerate(heads))
    body = "".join(line(row) for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(caption)}"><table><caption>'
        f"{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        f"{f'<tfoot>{line(foot)}</tfoot>' if foot else ''}</table></div>"
    )
