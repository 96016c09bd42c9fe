"""
Lazy names of a package (PEP 562): each is imported when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazyNames(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """
    Make the C{__getattr__} and the C{__dir__} of a package.

    @param package: its full name.
    @param modules: for each module below the package, the public names that it has,
        with spaces between.
    """
    homes = {name: each for each, names in modules.items() for name in names.split()}

    def getLazily(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home}"), name)

    def namesOf() -> list[str]:
        return sorted({*vars(import_module(package)), *homes})

    return getLazily, namesOf
