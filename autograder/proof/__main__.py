"""``python -m autograder.proof``: prove that the checks of a set are right."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from autograder.catalogue import UnknownQuestionError
from autograder.course import CourseError, catalogue_of, checkout
from autograder.proof import mutants as mutation
from autograder.proof import second_order
from autograder.proof import slips as listed
from autograder.proof.listed import unseen
from autograder.proof.paths import compare
from autograder.proof.samples import samples
from autograder.proof.seeds import luck
from autograder.proof.settings import settings

app = typer.Typer(
    help="Prove that the checks of the problem sets are right.", no_args_is_help=True, add_completion=False
)

Sets = Annotated[
    list[str] | None, typer.Argument(metavar="[SET]...", help="Problem sets; all with checks by default.")
]


def _fail(error: Exception) -> typer.Exit:
    typer.echo(f"proof: {error}", err=True)
    return typer.Exit(2)


@app.command("seeds")
def seeds_command(
    problem_sets: Sets = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds.")] = 20,
    first: Annotated[int, typer.Option("--first", min=0, help="The first of them.")] = 1,
    trained: Annotated[
        int | None,
        typer.Option("--trained", min=1, help="How many where something is trained; all by default."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--question", help="Only this question; may be given several times.")
    ] = None,
) -> None:
    """Ask the sample submissions every question with the cases of many seeds, and look for slips that some draw hides.

    Status 1 when luck decides something.
    """
    from tqdm import tqdm

    drawn = range(first, first + seeds)
    decided = False
    try:
        root = checkout()
        for name in problem_sets or catalogue_of(root).sets():
            bar = tqdm(samples(root, name), desc=name, unit="sample", disable=None)
            lines = luck(root, name, bar, drawn, trained=trained, only=only or ())
            few = settings(root, name).trained
            for short, question in catalogue_of(root).questions(name).items():
                if not only or question.id in only:
                    lines |= unseen(question, drawn[:trained] if short in few else drawn)
            for line, found in lines.items():
                decided = True
                typer.echo(f"{name}: with {len(found)} of {seeds} seeds (first {found[0]}): {line}")
    except (CourseError, UnknownQuestionError) as error:
        raise _fail(error) from None
    if decided:
        raise typer.Exit(1)
    typer.echo(f"With each of {seeds} seeds every sample gets what it must, and every slip is refused.")


@app.command("paths")
def paths_command(
    problem_sets: Sets = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds in grading.")] = 40,
    hogs: Annotated[int, typer.Option("--hogs", min=0, help="Busy processes beside one more grading.")] = 8,
) -> None:
    """Play every sample in a kernel and in the sandbox; status 1 when the two do not decide and say the same."""
    from tqdm import tqdm

    differ = False
    try:
        root = checkout()
        for name in problem_sets or catalogue_of(root).sets():
            bar = tqdm(samples(root, name), desc=name, unit="sample", disable=None)
            found = compare(root, name, bar, range(1, seeds + 1), hogs=hogs)
            differ = differ or bool(found.points or found.words)
            typer.echo(
                f"{name}: {found.compared} outcomes compared, {len(found.points)} differ in points, "
                f"{len(found.words)} in words only"
            )
            for line in (*found.points, *found.words):
                typer.echo(f"  {line}")
    except (CourseError, UnknownQuestionError) as error:
        raise _fail(error) from None
    if differ:
        raise typer.Exit(1)


def _table(surveys: Sequence[mutation.Survey]) -> Any:
    from rich.table import Table

    table = Table(title="Mutants of the reference answers")
    columns = "questions", "mutants", "killed", "survivors listed", "not listed", "stale", "seconds"
    table.add_column("problem set")
    for name in columns:
        table.add_column(name, justify="right")
    for one in surveys:
        numbers = (
            one.questions,
            len(one.tried),
            len(one.tried) - len(one.survivors),
            len(one.listed),
            len(one.not_listed),
            len(one.stale),
        )
        table.add_row(one.name, *map(str, numbers), f"{one.seconds:.0f}")
    return table


@app.command("second-order")
def second_order_command(problem_sets: Sets = None) -> None:
    """Grade reference answers with the faults that a set lists itself; status 1 when a list is not exact."""
    wrong = 0
    try:
        root = checkout()
        for name in problem_sets or catalogue_of(root).sets():
            for line in second_order.wrong_about(root, name):
                wrong += 1
                typer.echo(f"{name}: {line}")
            typer.echo(f"{name}: {len(second_order.listed(root, name))} faults tried")
    except (CourseError, UnknownQuestionError) as error:
        raise _fail(error) from None
    if wrong:
        raise typer.Exit(1)


@app.command("mutants")
def mutants_command(
    problem_sets: Sets = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say what became of each mutant.")] = False,
) -> None:
    """Grade reference answers with one fault each; status 1 when a list of survivors is not exact."""
    from rich.console import Console

    def told(survey: mutation.Survey) -> None:
        killed = len(survey.tried) - len(survey.survivors)
        typer.echo(f"{survey.name}: {killed} of {len(survey.tried)} killed, {survey.seconds:.1f} s")
        for one in survey.tried if verbose else ():
            typer.echo(f"  {one.seconds:.2f} s  {one.mutant.name}  [{one.killed or 'SURVIVED'}]")

    try:
        root = checkout()
        surveys = [mutation.try_set(root, name, told) for name in problem_sets or catalogue_of(root).sets()]
    except (CourseError, UnknownQuestionError) as error:
        raise _fail(error) from None
    Console(width=None if sys.stdout.isatty() else 150).print(_table(surveys))
    for one in surveys:
        for name in one.not_listed:
            typer.echo(f"{one.name}: survives and is not listed: {name}")
        for name in one.stale:
            typer.echo(f"{one.name}: listed, and killed or gone: {name}")
    if any(one.not_listed or one.stale for one in surveys):
        raise typer.Exit(1)


def _shares(tallies: Sequence[listed.Tally]) -> Any:
    from rich.table import Table

    table = Table(title="Slips of the language, and right answers in varied styles")
    columns = "slips", "named", "another", "another, perhaps", "nothing", "marked right", "rights", "refused"
    table.add_column("problem set")
    for name in columns:
        table.add_column(name, justify="right")
    for one in tallies:
        right_slips = sum(told.outcome == "right" for told in one.slips)
        numbers = (
            len(one.slips),
            one.count("named"),
            one.count("another", True),
            one.count("another", False),
            one.count("nothing"),
            right_slips,
            len(one.told) - len(one.slips),
            one.count("refused"),
        )
        table.add_row(one.name, *map(str, numbers))
    return table


@app.command("slips")
def slips_command(
    problem_sets: Sets = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say what became of each entry.")] = False,
) -> None:
    """What the lists of slips are told, and that no right answer is refused; status 1 below 90 % named, above 1 % false."""
    from rich.console import Console
    from tqdm import tqdm

    try:
        root = checkout()
        tallies = []
        for name in problem_sets or catalogue_of(root).sets():
            with tqdm(desc=name, unit="answer", disable=None) as bar:
                tallies.append(listed.try_set(root, name, bar.update))
            for line in tallies[-1].complaints:
                typer.echo(f"{name}: {line}")
            for one in tallies[-1].told if verbose else ():
                typer.echo(
                    f"  {one.entry.question} {one.entry.kind} {one.entry.name}: {one.outcome}: {one.text}"
                )
    except (CourseError, UnknownQuestionError) as error:
        raise _fail(error) from None
    for kind, counts in listed.by_kind(tallies).items():
        typer.echo(f"{kind}: {', '.join(f'{count} {outcome}' for outcome, count in counts.most_common())}")
    Console(width=None if sys.stdout.isatty() else 150).print(_shares(tallies))
    slips = sum(len(one.slips) for one in tallies)
    named, false = (sum(one.count(*what) for one in tallies) for what in (("named",), ("another", True)))
    if any(one.count("refused") for one in tallies) or named < 0.9 * slips or false > 0.01 * slips:
        raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="python -m autograder.proof")
