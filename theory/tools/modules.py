"""What a folder holds joins by standing there: its modules, found, and imported when they are asked for."""

import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, MutableMapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

Offered = TypeVar("Offered")


def module_names(package: str) -> list[str]:
    """The names of the modules of a package's own folder, in order; the package may still be loading."""
    here = sys.modules.get(package) or import_module(package)
    return sorted(file.stem for file in Path(str(here.__file__)).parent.glob("[a-z]*.py"))


def modules(package: str, *, but: Container[str] = ()) -> list[ModuleType]:
    """The modules of a package's own folder, in the order of their names.

    Example:
        >>> [module.__name__.split(".")[-1] for module in modules("georecall.bounds.walks")]
        ['components', 'typed', 'unions', 'untyped']
    """
    return [import_module(f"{package}.{name}") for name in module_names(package) if name not in but]


class Offers(MutableMapping[str, Offered], Generic[Offered]):
    """What the modules of a folder offer, by name. All are imported for a list of it, for one name only one.

    Args:
        package: the folder.
        offered: what a module offers.
        home: the module in which a name is looked for first; where it is not, in all.
        order: the names in the order that a list of them has; default: as they are found.
        but: modules that offer nothing and are left alone.
    """

    def __init__(
        self,
        package: str,
        offered: Callable[[ModuleType], Iterable[tuple[str, Offered]]],
        *,
        home: Callable[[str], str | None],
        order: Callable[[Mapping[str, Offered]], Iterable[str]] = lambda found: found,
        but: Container[str] = (),
    ) -> None:
        self._package, self._offered, self.home, self._order = package, offered, home, order
        self._but = but
        self._known: dict[str, Offered] = {}
        self._whole = False

    def _all(self) -> dict[str, Offered]:
        if not self._whole:
            found = {
                name: each
                for module in modules(self._package, but=self._but)
                for name, each in self._offered(module)
            }
            self._known = {name: found[name] for name in self._order(found)} | self._known
            self._whole = True
        return self._known

    def __getitem__(self, name: str) -> Offered:
        if name not in self._known and not self._whole:
            home = self.home(name)
            if home in module_names(self._package):
                self._known = dict(self._offered(import_module(f"{self._package}.{home}"))) | self._known
        return self._known[name] if name in self._known else self._all()[name]

    def __setitem__(self, name: str, each: Offered) -> None:
        self._known[name] = each

    def __delitem__(self, name: str) -> None:
        del self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"{{{', '.join(self)}}}"
