"""How a command says what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an expected error into one line on standard error and exit status 1."""
    try:
        yield
    except (OSError, ValueError, KeyError) as problem:
        text = str(problem.args[0]) if isinstance(problem, KeyError) and problem.args else str(problem)
        typer.echo(f"error: {' '.join(text.split())}", err=True)
        raise typer.Exit(1) from problem
