"""Fill a result file row by row, so that a run that was stopped goes on where it was; and the options of its command.

A :class:`Job` is what identifies a row and the work that measures it.  The file is replaced as a whole after every
job; jobs whose row is there already are not run again.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from experiments.provenance import Clock, provenance, read, write
from snnkit.datasets import DataNotFoundError

Quick = Annotated[bool, typer.Option("--quick", help="A few samples; writes nowhere by default.")]
Folder = Annotated[Path | None, typer.Option(help="Folder with the data; by default SNNKIT_DATA.")]
Output = Annotated[Path | None, typer.Option(help="Result file.")]


@contextmanager
def destination(output: Path | None, usual: Path, quick: bool) -> Iterator[Path]:
    """Where the rows go: ``output`` if given, for a quick run a folder that is removed afterwards, else ``usual``."""
    if output is not None or not quick:
        yield output or usual
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / usual.name


def command(
    about: str,
    run: Callable[..., list[dict[str, Any]]],
    table: Callable[[list[dict[str, Any]]], Table],
    full: object,
    small: object,
    usual: Path,
) -> Callable[..., None]:
    """The command of an experiment: ``run(sizes, path, root=...)`` on one thread, and its rows as a table.

    Args:
        about: What ``--help`` says.
        run: Gives the rows; where data are missing the command says so and ends with status 1.
        table: Of the rows.
        full: The sizes.
        small: Those of ``--quick``.
        usual: The result file.
    """

    def main(quick: Quick = False, data: Folder = None, output: Output = None) -> None:
        torch.set_num_threads(1)
        try:
            with destination(output, usual, quick) as path:
                rows = run(small if quick else full, path, root=data)
        except DataNotFoundError as error:
            typer.echo(f"nothing was measured: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(1) from error
        Console().print(table(rows))

    main.__doc__ = about
    return main


@dataclass(frozen=True)
class Job:
    """One row: ``key`` says which, ``work`` measures it and gives the other columns."""

    key: Mapping[str, Any]
    work: Callable[[], Mapping[str, Any]]


def fill(
    output: Path,
    jobs: Sequence[Job],
    *,
    seed: int,
    data: Mapping[str, Path],
    settings: Mapping[str, Any],
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Run the jobs whose rows ``output`` lacks.

    Args:
        output: The result file; made if it is not there.
        jobs: In the order in which they are to be run.
        seed: Of the whole experiment.
        data: Files that are read, for the provenance.
        settings: Whatever else decides the numbers; kept as JSON keeps it, a tuple as a list.
        progress: Whether to show a progress bar.

    Returns:
        The rows of the jobs, in their order.

    Raises:
        ValueError: If ``output`` was made with another seed or other settings, or two jobs have one key.
    """
    rows: dict[str, dict[str, Any]] = {}
    clock = Clock()
    settings = json.loads(json.dumps(dict(settings)))
    if output.is_file():
        earlier = read(output)
        before = earlier["provenance"]["settings"]
        differs = {k: (before.get(k), v) for k, v in settings.items() if before.get(k) != v}
        if differs or earlier["provenance"]["seed"] != seed:
            raise ValueError(f"{output.name} was made with other settings {differs}; choose another --output")
        names = list(jobs[0].key)
        rows = {_name({k: row[k] for k in names}): row for row in earlier["rows"]}
        clock = Clock.after(earlier["provenance"])
    wanted = [_name(job.key) for job in jobs]
    if len(set(wanted)) != len(wanted):
        raise ValueError("two jobs have the same key; a key must name one row")
    done = sum(name in rows for name in wanted)
    with tqdm(total=len(jobs), initial=done, unit="row", disable=not progress) as bar:
        for job, name in zip(jobs, wanted, strict=True):
            if name in rows:
                continue
            bar.set_description(", ".join(str(value) for value in job.key.values()))
            rows[name] = {**job.key, **job.work()}
            kept = [rows[other] for other in wanted if other in rows]
            write(output, kept, provenance(seed=seed, data=data, clock=clock, **settings))
            bar.update()
    return [rows[name] for name in wanted]


def _name(key: Mapping[str, Any]) -> str:
    return repr(sorted(key.items()))


def percent(row: Mapping[str, Any]) -> str:
    """Its accuracy in percent."""
    return f"{100 * row['accuracy']:.1f}"


def by_steps(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], shown: Callable[[Mapping[str, Any]], str]
) -> Table:
    """A line for each value of ``keys`` and a column for each T, with what ``shown`` makes of the row."""
    steps = sorted({row["steps"] for row in rows})
    result = Table(*keys, *(f"T = {t}" for t in steps))
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for row in rows:
        lines.setdefault(tuple(row[key] for key in keys), {})[row["steps"]] = shown(row)
    for key, line in lines.items():
        result.add_row(*key, *(line.get(t, "") for t in steps))
    return result
