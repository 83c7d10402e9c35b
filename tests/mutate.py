"""Mutation testing by forking: each mutant of one module is imported in a child that runs the module's tests.

    python tests/mutate.py MODULE.py TEST... [--then TEST...] [--sample N] [--seed S] [--only NUMBER...]

from the root of the repository. Written because mutmut 3 rewrites functions only, leaves decorated ones
alone (all arithmetic of `verify.margins.balls` is registered by a decorator) and works on a copy that an
editable install shadows. Here the third-party packages, and those of ours that do not import the module, are
imported once; a mutant costs a fork, and the tests that reach its lines, the fastest first. A mutant that
survives them runs all tests named, those after --then last.

Mutants: comparisons shifted or negated; arithmetic and bit operators, `and`/`or` swapped; `not` and minus
dropped; numbers raised by one; True/False; conditions negated or False, filters of comprehensions dropped;
min/max, any/all, floor/ceil, argmin/argmax, minimum/maximum, lower/upper, low/high, left/right swapped;
keyword arguments dropped; raise, bare calls, augmented assignments deleted; break/continue swapped. Left
alone: annotations, decorators, strings, imports and assertions (there for the type checker).

A mutant is killed if a test or the import fails, or if it takes more than 5 x the clean run's processor time
+ 10 s (or, asleep, an hour): what else the machine does is not held against it.
"""

import argparse
import ast
import contextlib
import copy
import gc
import importlib.abc
import importlib.util
import json
import math
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings

PACKAGES = ("theory", "constructions", "bounds", "verify")
THIRD_PARTY = ("numpy", "scipy.sparse", "scipy.special", "scipy.stats", "sympy", "mpmath", "flint", "pandas")
COMPARED = {ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.Eq: ast.NotEq, ast.In: ast.NotIn, ast.Is: ast.IsNot}
COMPARED |= {b: a for a, b in COMPARED.items()}
COMPUTED = {ast.Add: ast.Sub, ast.LShift: ast.RShift, ast.BitAnd: ast.BitOr, ast.And: ast.Or}
COMPUTED |= {b: a for a, b in COMPUTED.items()}
COMPUTED |= {
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
SWAPPED = {"min": "max", "any": "all", "floor": "ceil", "argmin": "argmax", "minimum": "maximum"}
SWAPPED |= {"lower": "upper", "low": "high", "left": "right", "isfinite": "isinf", "less": "greater"}
SWAPPED |= {b: a for a, b in SWAPPED.items()}
UNSEEN = ("annotation", "returns", "decorator_list", "type_params")

Place = tuple[tuple[str, int | None], ...]  # the fields that lead from the module to a node


class Mutant(NamedTuple):
    line: int
    column: int
    what: str
    place: Place
    node: ast.AST


def mutants(tree: ast.AST, place: Place = ()) -> list[Mutant]:
    """All mutants of a tree, in the order of the source."""
    if isinstance(tree, ast.Import | ast.ImportFrom | ast.Assert):
        return []
    found = [Mutant(at.lineno, at.col_offset, what, place, new) for at, what, new in changes(tree, place)]
    for name, value in ast.iter_fields(tree):
        if name in UNSEEN:
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                found += mutants(child, (*place, (name, i)))
    return found


def changes(node: Any, place: Place) -> list[tuple[Any, str, ast.AST]]:
    """Where a node may be changed, how, and what it becomes."""

    def changed(**fields: Any) -> Any:
        new = copy.deepcopy(node)
        vars(new).update(fields)
        return new

    out: list[tuple[Any, str, ast.AST]] = []
    match node:
        case ast.Compare():
            for i, op in enumerate(node.ops):
                new = COMPARED[type(op)]()
                out.append(
                    (node, f"{name_of(op)} -> {name_of(new)}", changed(ops=replaced(node.ops, i, new)))
                )
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp() if type(node.op) in COMPUTED:
            alias_of_types = isinstance(node.op, ast.BitOr) and len(place) <= 2
            if not alias_of_types:
                new = COMPUTED[type(node.op)]()
                out.append((node, f"{name_of(node.op)} -> {name_of(new)}", changed(op=new)))
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            out.append((node, f"{name_of(node.op)} dropped", copy.deepcopy(node.operand)))
        case ast.Constant(value=bool() as value):
            out.append((node, f"{value} -> {not value}", changed(value=not value)))
        case ast.Constant(value=int() | float() as value):
            out.append((node, f"{value} -> {value + 1}", changed(value=value + 1)))
        case ast.Name(ctx=ast.Load()) if node.id in SWAPPED:
            out.append((node, f"{node.id} -> {SWAPPED[node.id]}", changed(id=SWAPPED[node.id])))
        case ast.Attribute(ctx=ast.Load()) if node.attr in SWAPPED:
            out.append((node, f".{node.attr} -> .{SWAPPED[node.attr]}", changed(attr=SWAPPED[node.attr])))
        case ast.Call():
            for i, keyword in enumerate(node.keywords):
                if keyword.arg not in (None, "strict"):
                    rest = node.keywords[:i] + node.keywords[i + 1 :]
                    out.append((keyword.value, f"{keyword.arg}= dropped", changed(keywords=rest)))
        case ast.comprehension():
            for i, test in enumerate(node.ifs):
                always = ast.copy_location(ast.Constant(True), test)
                out.append((test, "filter dropped", changed(ifs=replaced(node.ifs, i, always))))
        case ast.Break():
            out.append((node, "break -> continue", ast.copy_location(ast.Continue(), node)))
        case ast.Continue():
            out.append((node, "continue -> break", ast.copy_location(ast.Break(), node)))
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Constant):
        compares = isinstance(node.test, ast.Compare)
        new_test = ast.Constant(False) if compares else ast.UnaryOp(ast.Not(), node.test)
        what = "condition False" if compares else "condition negated"
        if not (compares and isinstance(node, ast.While)):
            out.append((node.test, what, changed(test=ast.copy_location(new_test, node.test))))
    if isinstance(node, ast.Raise | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Yield)
    ):
        out.append((node, "statement deleted", ast.copy_location(ast.Pass(), node)))
    return out


def name_of(op: ast.AST) -> str:
    return type(op).__name__


def replaced(several: list[Any], i: int, new: Any) -> list[Any]:
    return [*several[:i], new, *several[i + 1 :]]


def at(tree: ast.AST, place: Place) -> Any:
    node: Any = tree
    for name, i in place:
        node = getattr(node, name) if i is None else getattr(node, name)[i]
    return node


def mutated(tree: ast.AST, mutant: Mutant) -> ast.AST:
    tree = copy.deepcopy(tree)
    parent, (name, i) = at(tree, mutant.place[:-1]), mutant.place[-1]
    if i is None:
        setattr(parent, name, mutant.node)
    else:
        getattr(parent, name)[i] = mutant.node
    return ast.fix_missing_locations(tree)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a tree."""

    def __init__(self, module: str, file: Path, tree: ast.AST) -> None:
        self.module, self.file, self.tree = module, file, tree

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        return (
            importlib.util.spec_from_file_location(name, self.file, loader=self)
            if name == self.module
            else None
        )

    def exec_module(self, module: Any) -> None:
        exec(compile(self.tree, str(self.file), "exec"), vars(module))


class Plugin:
    """In a child: no shrinking; which tests, in which order. What failed, and how long it took.

    In the clean run it also notes which lines of the module each test reaches.
    """

    def __init__(self, file: Path, seconds: dict[str, float], chosen: set[str] | None, trace: bool) -> None:
        self.file, self.seconds, self.chosen, self.trace = str(file), seconds, chosen, trace
        self.failed, self.lines, self.reached = "", {}, set()

    def pytest_collection(self) -> None:
        quick = {
            "phases": [Phase.explicit, Phase.generate],
            "report_multiple_bugs": False,
            "print_blob": False,
        }
        settings.register_profile("mutate", settings.get_profile("ci"), **quick)
        settings.load_profile("mutate")

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if self.chosen is None or item.nodeid in self.chosen]
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        self.failed = self.failed or (report.nodeid if report.failed else "")

    def pytest_collectreport(self, report: Any) -> None:
        self.failed = self.failed or (report.nodeid if report.failed else "")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self.reached = set()
        if self.trace:
            sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.lines[item.nodeid] = sorted(self.reached)

    def _enter(self, frame: Any, event: str, argument: Any) -> Any:
        return self._note(frame, event, argument) if frame.f_code.co_filename == self.file else None

    def _note(self, frame: Any, event: str, argument: Any) -> Any:
        self.reached.add(frame.f_lineno)
        return self._note


def in_child(work: Any, limit: float) -> Any:
    """What `work()` returns in a forked child, as JSON; None if its processor time runs out or it dies."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit)))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        try:
            answer = json.dumps(work()).encode()
        except BaseException as error:
            answer = json.dumps({"failed": f"{type(error).__name__}: {error}"[:80]}).encode()
        with os.fdopen(write, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(write)
    end, data = time.monotonic() + 3600, b""
    with os.fdopen(read, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            piece = pipe.read(1 << 16)
            if not piece:
                break
            data += piece
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return json.loads(data) if data else None


def independent_of(module: str, root: Path) -> list[str]:
    """Our modules that do not lead to `module` by imports."""
    files = {
        ".".join(("georecall", *p.relative_to(root).with_suffix("").parts)): p
        for d in PACKAGES
        for p in (root / d).rglob("*.py")
    }
    files = {name.removesuffix(".__init__"): p for name, p in files.items() if not name.endswith("__main__")}
    imports = {}
    for name, p in files.items():
        named, source = {name}, p.read_text("utf-8")
        if "modules(__name__)" in source:  # a table of contents made of what stands in the folder
            named |= {other for other in files if other.startswith(f"{name}.")}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                named |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        imports[name] = named | {each.rpartition(".")[0] for each in named}
    leading = {module}
    while more := {name for name, named in imports.items() if named & leading} - leading:
        leading |= more
    return sorted(
        name for name in files if name not in leading and not name.startswith("georecall.verify.cli")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--then", nargs="*", default=[])
    parser.add_argument("--sample", type=int, default=1 << 30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", type=int, help="mutants by number")
    asked = parser.parse_args()
    root, file = Path.cwd(), Path.cwd() / "georecall" / asked.file  # as it is imported, through the door
    sys.path.insert(0, str(root))
    module = ".".join(("georecall", *Path(asked.file).with_suffix("").parts))
    source = file.read_text("utf-8")
    tree = ast.parse(source)
    every = mutants(tree)
    numbers = random.Random(f"{asked.seed} {asked.file}").sample(
        range(len(every)), min(len(every), asked.sample)
    )
    for name in (*THIRD_PARTY, *independent_of(module, root)):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    assert module not in sys.modules
    compiled = tempfile.TemporaryDirectory()
    gc.freeze()

    def tested(
        mutant: Mutant | None, tests: list[str], chosen: set[str] | None, seconds: dict[str, float]
    ) -> Any:
        os.environ["NUMBA_CACHE_DIR"] = own = os.path.join(compiled.name, str(os.getpid()))
        if "numba" in sys.modules:  # no mutant runs what was compiled for another
            sys.modules["numba"].config.CACHE_DIR = own
        if mutant is not None:
            sys.meta_path.insert(0, Finder(module, file, mutated(tree, mutant)))
        plugin = Plugin(file, seconds, chosen, trace=mutant is None)
        arguments = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests]
        code = pytest.main([*arguments, "-W", "ignore::pytest.PytestAssertRewriteWarning"], plugins=[plugin])
        failed = plugin.failed or ("" if code in (0, 5) else f"exit {code}")
        return {"failed": failed, "seconds": plugin.seconds, "lines": plugin.lines}

    every_test = [*asked.tests, *asked.then]
    clean = in_child(lambda: tested(None, every_test, None, {}), 3600)
    if clean is None or clean["failed"]:
        sys.exit(f"the clean run fails: {clean and clean['failed']}")
    took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    limit, seconds = 5 * took + 10, clean["seconds"]
    counts: Counter[str] = Counter()
    for number in sorted(numbers) if asked.only is None else asked.only:
        mutant = every[number]
        inside = [at(tree, mutant.place[: i + 1]) for i in range(len(mutant.place))]
        around = [node for node in inside if isinstance(node, ast.stmt)][-1]
        ends = [getattr(at(tree, mutant.place), "end_lineno", None) or mutant.line, mutant.line]
        if not hasattr(around, "body"):
            ends.append(around.end_lineno)
        span = set(range(around.lineno, max(ends) + 1))
        chosen = {name for name, lines in clean["lines"].items() if span & set(lines)} or None
        for tests, some in ((every_test, chosen), (asked.tests, None), (every_test, None)):
            found = in_child(lambda t=tests, s=some, m=mutant: tested(m, t, s, seconds), limit)
            if found is None or found["failed"]:
                break
        status = "out of time" if found is None else "killed" if found["failed"] else "survived"
        counts[status] += 1
        if status == "survived":
            line = source.splitlines()[mutant.line - 1].strip()
            print(
                f"  #{number} {asked.file}:{mutant.line}:{mutant.column} {mutant.what} | {line}", flush=True
            )
    print(f"{asked.file}: {sum(counts.values())} of {len(every)} mutants: {dict(counts)}")


if __name__ == "__main__":
    main()
