"""A small decoder-only transformer that writes like Shakespeare, and shows what it attends to."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shakespeare_gpt.checkpoint import load
    from shakespeare_gpt.effects import effects, knockout, through
    from shakespeare_gpt.generation import generate, stream
    from shakespeare_gpt.trace import trace

__all__ = ["effects", "generate", "knockout", "load", "stream", "through", "trace"]

_WHERE = {
    "load": "checkpoint",
    "trace": "trace",
    **dict.fromkeys(("effects", "knockout", "through"), "effects"),
    **dict.fromkeys(("generate", "stream"), "generation"),
}


class _Package(ModuleType):
    """The package, which imports a function's module (and PyTorch) when the function is first asked for.

    So a command answers `--help`, and Ctrl-C, at once. `effects` and `trace` are names of modules too: importing one
    would put the module in the place of the function.
    """

    def __getattr__(self, name: str) -> object:
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
        setattr(self, name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _WHERE or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
