"""Stands in for what is withheld in this problem set: copied into the student's copy of the library."""

import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn


class WithheldError(RuntimeError):
    """The name is withheld in this question."""

    says_all = True


def refuse(name: str) -> NoReturn:
    raise WithheldError(
        f"{name} is withheld in this question: it is the work to be done here. Write your own instead of calling the library's."
    )


def being_imported() -> bool:
    """Whether the package's own module-level code (a default argument, say) is what makes the object."""
    frame = sys._getframe(2)
    return str(frame.f_globals.get("__name__", "")).split(".")[0] == __name__.split(".")[0]


def function(name: str) -> Callable[..., NoReturn]:
    """A function that refuses."""

    def stub(*args: Any, **kwargs: Any) -> NoReturn:
        refuse(name)

    stub.__name__ = stub.__qualname__ = name.rpartition(".")[2]
    stub.__doc__ = "Withheld in this question."
    return stub


def class_of(name: str, module: str, bases: tuple[Any, ...], methods: tuple[str, ...]) -> type:
    """A class with these bases and methods; making or using an instance refuses."""

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if being_imported():
            return object.__new__(cls)
        refuse(name)

    def getattribute(self: Any, attribute: str) -> NoReturn:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        refuse(name)

    def nothing(*args: Any, **kwargs: Any) -> None:
        pass

    short = name.rpartition(".")[2]
    body = {
        **{method: staticmethod(function(f"{name}.{method}")) for method in methods},
        "__module__": module, "__qualname__": short, "__doc__": "Withheld in this question.", "__new__": new,
        "__init__": nothing, "__init_subclass__": nothing, "__getattr__": getattribute, "__call__": function(name),
    }  # fmt: skip
    return types.new_class(short, bases, exec_body=lambda namespace: namespace.update(body))


class Withheld:
    """A withheld value: any use of it refuses."""

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(object.__getattribute__(self, "_name"))

    __call__ = __getitem__ = __iter__ = __len__ = __bool__ = __float__ = __int__ = __index__ = __array__ = (
        _refuse
    )
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = (
        _refuse
    )
    __pow__ = __rpow__ = __lt__ = __le__ = __gt__ = __ge__ = __matmul__ = __rmatmul__ = __contains__ = _refuse

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        self._refuse()
