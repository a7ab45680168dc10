"""Whether luck decides what a sample gets: ``python -m autograder.draws [SET ...] --seeds 20``.

The cases of a question are drawn from a secret of the course. A sample submission must get the same score, misconceptions
and words whatever is drawn, or else two students with the same fault are treated differently, and a fresh course reports
samples that are not as expected. So every sample is asked every question with the cases of many seeds. The samples come
with the course; their cells run in this process, once for all seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder import corpus
from autograder.checks import UnknownQuestionError
from autograder.checks import problem_sets as sets_with_checks
from autograder.checks.message import plain
from autograder.course import CourseError, checkout, exercise_of
from autograder.judging import run
from autograder.question import Question


def luck(
    root: Path, problem_set: str, samples: Iterable[corpus.Sample], seeds: Sequence[int]
) -> dict[str, list[int]]:
    """What is not as the samples must get it, and with the cases of which seeds.

    Args:
        root: the checkout, with the released notebooks.
        problem_set: the set of the samples.
        samples: the samples to ask.
        seeds: seeds of the cases.

    Returns:
        Seeds by sentence; empty where luck decides nothing.

    Raises:
        CourseError: the released notebook is missing, or does not fit the samples.
    """
    released = exercise_of(root, problem_set)
    if not released.is_file():
        raise CourseError(f"{released.relative_to(root)} does not exist; run: make exercises")
    wrong: dict[str, list[int]] = defaultdict(list)
    for sample in samples:
        handed_in = corpus.build(root, problem_set, sample, released.read_bytes())

        def ask(check: Question, namespace: Mapping[str, Any], sample: corpus.Sample = sample) -> None:
            for seed in seeds:
                found = run(check, dict(namespace), seed=seed)
                for line in corpus.mismatches(
                    sample, check.id.split(".", 1)[1], found.score, found.slips, plain(found)
                ):
                    wrong[line].append(seed)

        corpus.play(corpus.shorten(handed_in, problem_set), problem_set, ask)
    return dict(wrong)


def main(arguments: list[str] | None = None) -> int:
    """Command line; the exit status is 1 when luck decides something, 2 for a wrong call."""
    parser = argparse.ArgumentParser(
        prog="python -m autograder.draws",
        description="Ask the sample submissions every question with the cases of many seeds.",
    )
    parser.add_argument(
        "problem_sets", nargs="*", metavar="SET", help="problem sets; all with checks by default"
    )
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many seeds (default: 20)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (default: 1)")
    chosen = parser.parse_args(arguments)
    if chosen.seeds < 1 or chosen.first < 0:
        parser.error("--seeds must be at least 1 and --first at least 0")
    from tqdm import tqdm

    seeds = range(chosen.first, chosen.first + chosen.seeds)
    decided = False
    try:
        root = checkout()
        for problem_set in chosen.problem_sets or sets_with_checks():
            samples = corpus.samples(problem_set)
            bar = tqdm(samples, desc=problem_set, unit="sample", disable=None)
            for line, found in luck(root, problem_set, bar, seeds).items():
                decided = True
                print(f"{problem_set}: with {len(found)} of {len(seeds)} seeds (first {found[0]}): {line}")
    except (CourseError, UnknownQuestionError) as error:
        print(f"draws: {error}", file=sys.stderr)
        return 2
    if not decided:
        print(f"With each of {len(seeds)} seeds every sample gets what it must.")
    return int(decided)


if __name__ == "__main__":
    sys.exit(main())
