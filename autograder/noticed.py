"""What a check in the notebook remarks of the kernel that it runs in: global state that was changed, withheld names that were used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograder.result import Result

#: Settings that make the course's own cells go wrong, and how each is put back.
_TOLD = {
    "torch's gradients": "torch.set_grad_enabled(True)",
    "torch's inference mode": "",
    "torch's default device": "torch.set_default_device('cpu')",
    "torch's function modes": "",
    "torch's dispatch modes": "",
    "torch's determinism": "torch.use_deterministic_algorithms(False)",
    "torch's autocast": "torch.set_autocast_enabled('cpu', False)",
}
_RAISES = "NumPy's handling of errors"


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def of_state(differed: Mapping[str, Any]) -> str:
    """A sentence about global state that is not as the course ships it; nothing where no cell of the course minds.

    Args:
        differed: by name as it was found, see :meth:`autograder.state.Baseline.shipped`.
    """
    sentences = []
    if "torch's default dtype" in differed:
        dtype = str(differed["torch's default dtype"]).removeprefix("torch.")
        sentences.append(
            f"torch's default dtype is {dtype} in this notebook; the course's cells are written for float32 "
            "(`torch.set_default_dtype(torch.float32)` puts it back)."
        )
    changed = {name: how for name, how in _TOLD.items() if name in differed}
    if "raise" in dict(differed.get(_RAISES, {})).values():
        changed[_RAISES] = "np.seterr(all='warn')"
    if changed:
        how = [f"`{code}`" for code in changed.values() if code]
        back = f" ({_listed(how)} put{'s' * (len(how) == 1)} that back)" if how else ""
        sentences.append(
            f"{_listed(changed)} in this notebook {'are' if len(changed) > 1 else 'is'} not as the course's cells "
            f"expect{back}."
        )
    patched = [f"`{name}`" for name in differed if "." in name and " " not in name and not _ours(name)]
    if patched:
        sentences.append(
            f"{_listed(patched)} {'are' if len(patched) > 1 else 'is'} not the library's own in this notebook: "
            "restart the kernel to have it back."
        )
    if not sentences:
        return ""
    return " ".join([*sentences, "The check and the grading put such things aside; your next cells may not."])


def _ours(name: str) -> bool:
    """Names that a reload of the course's own library changes as well, and none of a library's."""
    return name == "sys.path" or name.startswith("snnkit.")


def of_withheld(result: Result, used: Iterable[str]) -> str:
    """A sentence about withheld names that were used and that no failure tells of; nothing where there is none."""
    told = " ".join(failure.sentence for failure in result.failed.values())
    names = [f"`{name}`" for name in dict.fromkeys(used) if name not in told]
    if not names:
        return ""
    if result.score < result.points:
        return f"This uses {_listed(names)}, which this problem set asks you to write: 0 points when graded."
    return f"This tries {_listed(names)}, which is switched off here as in grading, and goes on without."
