"""Whether every slip that a question lists is refused, whatever is drawn.

A slip with an answer or with values of its own is put beside the right values of every case: where nothing differs, the
draw lets the mistake through. Slips that are known by what is seen have no values; the samples stand for those.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from autograder.comparing import close
from autograder.judging import slip_values
from autograder.perform import quiet
from autograder.proof.drawn import Drawn
from autograder.question import Question, Slip


def failing(drawn: Drawn, slip: Slip) -> frozenset[str]:
    """Groups in which a slip gives something else than what is right."""
    question, groups = drawn.question, set()
    by_id = {group.id: group for group in question.groups}
    for at, case in enumerate(drawn.cases):
        group = by_id[case.group]
        try:
            wrong = slip_values(question, slip, case.call)
        except (
            Exception
        ):  # made for other cases of the question, or it raises: then it is no value that coincides
            continue
        if group.judge is not None:
            refused = group.judge(wrong, question.asked(case.call)) is not None
        else:
            within, right = group.within or question.within, drawn.right.get(at, {})
            refused = any(not close(wrong[key], right[key], within) for key in right if key in wrong)
        if refused:
            groups.add(group.id)
    return frozenset(groups)


def unseen(question: Question, seeds: Sequence[int]) -> dict[str, list[int]]:
    """Slips that no group refuses with the cases of some seeds, or not always the same groups: seeds by sentence."""
    found: dict[str, dict[int, frozenset[str]]] = defaultdict(dict)
    for seed in seeds:
        drawn = Drawn(question, seed)
        for slip in question.slips:
            if slip.wrong is not None or slip.gives is not None:
                with quiet():
                    found[slip.id][seed] = failing(drawn, slip)
    lines: dict[str, list[int]] = defaultdict(list)
    for id, groups in found.items():
        usual, _ = Counter(groups.values()).most_common(1)[0]
        for seed, refused in groups.items():
            if refused != usual or not refused:
                said = f"in {', '.join(sorted(refused))}" if refused else "nowhere"
                wanted = f"; expected {', '.join(sorted(usual))}" if usual != refused else ""
                lines[f"{question.id}: the slip {id!r} is refused {said}{wanted}"].append(seed)
    return dict(lines)
