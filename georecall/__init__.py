"""Verify the theory of geometric factual recall in transformers.

    import georecall as gr

    gr.check("single-hop", subjects=1000, relations=8)

The public names are those that `__init__.pyi` beside this file imports; each loads when it is first used. The
four floors are packages of their own, and imports between them point down: `georecall.verify` asks whether it
holds, `georecall.constructions` builds weights, `georecall.bounds` says how little could ever do, and
`georecall.theory` states what is claimed.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent

if not (_HERE / "theory" / "__init__.py").exists():
    raise ImportError(
        f"{_HERE} lacks its links to theory, constructions, bounds and verify: this clone was made without "
        "symbolic links; make it with `git clone -c core.symlinks=true`"
    )

# public name -> (module, name there): read off the stub, so that there is one list of what is public
_HOMES = {
    alias.asname or alias.name: (str(node.module), alias.name)
    for node in ast.parse((_HERE / "__init__.pyi").read_text(encoding="utf-8")).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, there = _HOMES[name]
    module = import_module(home)
    return getattr(module, there) if hasattr(module, there) else import_module(f"{home}.{there}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
