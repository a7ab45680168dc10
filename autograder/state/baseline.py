"""The state as the course ships it, and what is put in its place."""

from __future__ import annotations

import builtins
import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from .generators import generators as all_generators
from .generators import seed
from .names import Change, changes, hooked, put, space_of_module, spaces
from .settings import AS_FOUND, SETTINGS, Setting


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # an array among matplotlib's settings, say
        return False


@contextlib.contextmanager
def _no_inference_mode() -> Iterator[bool]:
    """Yields whether it was on."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.is_inference_mode_enabled():
        yield False
        return
    with torch.inference_mode(False):
        yield True


@contextlib.contextmanager
def _no_figures() -> Iterator[None]:
    """No figure of pyplot is open inside; those that are made there are closed."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is None:
        yield
        return
    figures = helpers.Gcf.figs
    kept = dict(figures)
    figures.clear()
    try:
        yield
    finally:
        if figures:
            helpers.Gcf.destroy_all()
        figures.update(kept)


class _Values(NamedTuple):
    """Values that were found and what was put in their place, by name."""

    found: dict[str, Any]
    wanted: dict[str, Any]

    @property
    def differed(self) -> dict[str, Any]:
        """What was not as the course ships it, as it was found."""
        return {name: one for name, one in self.found.items() if not _same(one, self.wanted[name])}


class Baseline:
    """The state as the course ships it.

    Taken when this is made, before any code of the student's; of what is imported later, when it is first seen.
    """

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._values: dict[str, Any] = {}
        self._spaces = [space_of_module("builtins", builtins)]
        self._seen: set[str] = set()
        self._loaded = 0
        self._look()
        self._given = 0
        self._marks: dict[str, bytes] = {}
        self.settle()

    def settle(self) -> None:
        """Take the values as they are now, where the course goes on from here."""
        for name, setting in self._settings.items():
            self._values[name] = setting.get() if setting.ours is AS_FOUND else setting.ours
        self._marks = {name: one.mark for name, one in all_generators().items()}

    def _look(self) -> None:
        """Take down what has been imported since the last look."""
        loaded = dict(sys.modules)
        if len(loaded) == self._loaded:
            return
        self._loaded = len(loaded)
        for name in loaded.keys() - self._seen:
            self._seen.add(name)
            if isinstance(loaded[name], ModuleType):
                self._spaces.extend(spaces(name, loaded[name]))
                for one in SETTINGS[name](loaded[name]) if name in SETTINGS else ():
                    self._settings[one.name] = one
                    self._values[one.name] = one.get() if one.ours is AS_FOUND else one.ours

    def _changed(self) -> list[Change]:
        return [change for space in self._spaces for change in changes(space) if not hooked(change)]

    def _put_names(self) -> list[Change]:
        """Put the course's names in place; builtins first, as all that follows is written with them."""
        patched = changes(self._spaces[0])
        for change in patched:
            change.space.now[change.key] = change.ours  # type: ignore[index]
        self._look()
        found = self._changed()
        for change in found:
            put(change.space, change.key, change.ours)
        return [*patched, *found]

    def _put_values(self) -> _Values:
        """Put the course's values in place."""
        values = _Values({}, {})
        for name, setting in self._settings.items():
            with contextlib.suppress(Exception):  # a working folder that is there no longer
                values.found[name] = setting.get()
            before = values.found.get(name, self._values[name])
            values.wanted[name] = setting.wanted(self._values[name], before)
            if not _same(before, values.wanted[name]) or name not in values.found:
                self._set(name, values.wanted[name])
        return values

    def _set(self, name: str, value: Any) -> None:
        """Give a setting this value, as far as that can be done."""
        setting = self._settings[name]
        with contextlib.suppress(Exception):
            if _same(setting.get(), value):
                return
        with contextlib.suppress(Exception):
            setting.put(value)

    @contextlib.contextmanager
    def values(self) -> Iterator[dict[str, Any]]:
        """The course's values and fixed seeds inside: for one call of many that are made inside :meth:`shipped`.

        Yields what differed, by name, as it was found.
        """
        values, before = self._put_values(), all_generators()
        try:
            with _no_inference_mode() as inference:
                seed(0)
                yield values.differed | ({"torch's inference mode": True} if inference else {})
        finally:
            for name, value in values.found.items():
                self._set(name, value)
            for one in before.values():
                one.put(one.state)

    @contextlib.contextmanager
    def shipped(self) -> Iterator[dict[str, Any]]:
        """The course's names as well: nothing that was patched before is met inside, and all is as it was afterwards.

        Yields what differed, by name, as it was found.
        """
        patched = self._put_names()
        names = {f"{one.space.name}.{one.key}": one.found for one in patched}
        try:
            with _no_figures(), self.values() as values:
                yield values | names
        finally:
            for change in self._changed():  # by what ran inside
                put(change.space, change.key, change.ours)
            for change in patched:
                put(change.space, change.key, change.found)

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """The course's state inside a given cell: what it changes stays, what the student had changed is given back.

        Random numbers go on as in a notebook that is run from its top. Where a cell of the student's has drawn some, or
        set a seed, the given cell gets a fixed seed, another for each.
        """
        patched, values, before = self._put_names(), self._put_values(), all_generators()
        self._given += 1
        drawn = any(one.mark != self._marks.get(name, one.mark) for name, one in before.items())
        if drawn:
            seed(self._given)
        begun = {name: one.mark for name, one in all_generators().items()}
        try:
            with _no_inference_mode():
                yield
        finally:
            self._keep_values(values)
            self._keep_names(patched)
            self._look()
            self._marks = {name: one.mark for name, one in all_generators().items()}
            for name, one in before.items():
                if drawn and self._marks[name] == begun[name]:
                    one.put(one.state)

    def _keep_values(self, values: _Values) -> None:
        """What was set inside is the course's from now on; the rest goes back to what was found."""
        for name, value in values.found.items():
            inside = values.wanted[name]
            with contextlib.suppress(Exception):
                inside = self._settings[name].get()
            if _same(inside, values.wanted[name]):
                self._set(name, value)
            else:
                self._values[name] = inside

    def _keep_names(self, patched: list[Change]) -> None:
        """What was patched inside is the course's from now on; the rest goes back to what was found."""
        inside = self._changed()
        for change in inside:
            change.space.shipped[change.key] = change.found
        kept = {(change.space.name, change.key) for change in inside}
        for change in patched:
            if (change.space.name, change.key) not in kept:
                put(change.space, change.key, change.found)
