"""Coq, as a process: compiles the proofs and says what a theorem states and what it assumes."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from georecall.theory.proofs import FOLDER, in_order
from georecall.theory.tools.progress import Progress
from georecall.verify.usage import UsageError

CLOSED = "Closed under the global context"
_VERSION = "8.16"  # what the proofs are written for
_ADVICE = (
    f"apt-get install coq libcoq-mathcomp-algebra libcoq-mathcomp-fingroup (Coq {_VERSION}); "
    "nothing else needs it"
)
_MARK, _MARGIN = "@@@@", " " * 7  # between two answers; of what `Check` prints
_QUIET = ("-q", "-w", "-notation-overridden,-ambiguous-paths")


class RefusedError(Exception):
    """Coq does not accept a file; the message is its own first lines."""


@dataclass(frozen=True)
class Proved:
    """A theorem, `file.theorem`, that Coq has checked: what it states and assumes, as Coq prints them."""

    theorem: str
    statement: str
    assumptions: str

    @property
    def closed(self) -> bool:
        """Whether it rests on no axiom."""
        return self.assumptions == CLOSED


@contextmanager
def compiled(names: Sequence[str], progress: Progress | None = None) -> Iterator[Path]:
    """A folder that holds the compiled proofs of these names and of all that they need.

    Args:
        names: of the proofs.
        progress: called with the number of files compiled and of all files.

    Raises:
        UsageError: there is no Coq, or none that takes these proofs.
    """
    with TemporaryDirectory(prefix="georecall-proofs-") as name:
        folder = Path(name)
        compile_into(folder, names, progress)
        yield folder


def compile_into(folder: Path, names: Sequence[str], progress: Progress | None = None) -> None:
    """Copies the proofs of these names, and all that they need, into a folder, and compiles them there."""
    files = in_order(*names)
    for number, file in enumerate(files):
        if progress is not None:
            progress(number, len(files) + 1)  # and then what they are compiled for
        shutil.copy(FOLDER / f"{file}.v", folder)
        try:
            coqc(folder, f"{file}.v")
        except RefusedError as refused:
            raise UsageError(f"coqc does not take {file}.v (written for Coq {_VERSION}): {refused}") from None
    if progress is not None:
        progress(len(files), len(files) + 1)


def proved(theorems: Sequence[str], folder: Path) -> list[Proved]:
    """What theorems say and assume, as the compiled proofs in a folder have them, in the order given."""
    answers: dict[str, Proved] = {}
    for file in dict.fromkeys(theorem.split(".")[0] for theorem in theorems):
        asked = [theorem for theorem in theorems if theorem.startswith(f"{file}.")]
        source = [f"From Georecall Require Import {' '.join(in_order(file))}.", "Set Printing Width 100."]
        for theorem in asked:
            source += [
                f'Goal True. idtac "{_MARK}". Abort.',
                f"Check {theorem}.",
                f"Print Assumptions {theorem}.",
            ]
        (folder / "asked.v").write_text("\n".join(source) + "\n", encoding="utf-8")
        said = coqc(folder, "asked.v").split(_MARK)[1:]
        answers |= {theorem: _read(theorem, text) for theorem, text in zip(asked, said, strict=True)}
    return [answers[theorem] for theorem in theorems]


def _read(theorem: str, said: str) -> Proved:
    """One theorem of Coq's answer: its name, its type after a colon, then its assumptions."""
    statement, closed, _ = said.partition(CLOSED)
    if closed:
        assumptions = CLOSED
    else:
        statement, _, assumptions = said.partition("\nAxioms:")
    lines = statement.split(":", 1)[1].strip().splitlines()
    joined = "\n".join(line.removeprefix(_MARGIN) for line in lines)
    return Proved(theorem, joined, " ".join(assumptions.split()))


def coqc(folder: Path, file: str) -> str:
    """Compiles one file in a folder; what Coq prints.

    Raises:
        UsageError: there is no Coq.
        RefusedError: Coq does not accept the file.
    """
    program = shutil.which("coqc")
    if program is None:
        raise UsageError(f"there is no coqc: {_ADVICE}")
    done = subprocess.run(
        [program, *_QUIET, "-Q", ".", "Georecall", file],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RefusedError(" ".join((done.stderr or done.stdout).split())[:400])
    return done.stdout
