"""What a folder holds joins by standing there: its modules, found and imported."""

import sys
from collections.abc import Container
from importlib import import_module
from pathlib import Path
from types import ModuleType


def modules(package: str, *, but: Container[str] = ()) -> list[ModuleType]:
    """The modules of a package's own folder, in the order of their names.

    Args:
        package: its name; it may still be loading.
        but: modules that are left out.

    Example:
        >>> [module.__name__.split(".")[-1] for module in modules("georecall.bounds.walks")]
        ['typed', 'unions', 'untyped']
    """
    here = sys.modules.get(package) or import_module(package)
    names = sorted(file.stem for file in Path(str(here.__file__)).parent.glob("[a-z]*.py"))
    return [import_module(f"{package}.{name}") for name in names if name not in but]
