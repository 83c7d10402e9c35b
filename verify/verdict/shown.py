"""A verdict in words: what a terminal, a notebook and a report show is read off here."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.names import inert
from georecall.theory.tools.numerals import exactly
from georecall.verify.margins.lead import Witness
from georecall.verify.usage import show
from georecall.verify.verdict.table import shown as facts_shown
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

_HIDDEN = ("facts_sha256", "filled_cells", "stated_queries")

_Word = Literal["", "quantities", "witness", "ok", "NOT"]


@dataclass(frozen=True)
class Shown:
    """A verdict in words; what there is nothing to say of is empty.

    The header and rows are those of the table of quantities; `counterexample` is the table of facts with the
    query of the witness marked.
    """

    claim: str
    status: str
    reason: str
    asked: str
    decided: str
    took: str
    filled: str
    header: list[str]
    rows: list[list[str]]
    witness: str
    counterexample: str
    hypotheses: tuple[HypothesisResult, ...]
    controls_at: str
    controls: tuple[ControlResult, ...]

    @classmethod
    def of(cls, verdict: Verdict) -> "Shown":
        """What there is to show of a verdict."""
        header, rows = _quantities(verdict)
        return cls(
            claim=verdict.claim,
            status=verdict.status,
            reason=verdict.reason or "",
            asked=", ".join(
                f"{name} {exactly(value) if isinstance(value, float) else show(value)}"
                for name, value in verdict.parameters.items()
                if value is not None and name not in _HIDDEN and (name, value) != ("engine", "numpy")
            ),
            decided=_decided(verdict),
            took=f", in {verdict.seconds:.2f} s" if verdict.seconds is not None else "",
            filled=_filled(verdict),
            header=header,
            rows=rows,
            witness=_witness(verdict),
            counterexample=_counterexample(verdict),
            hypotheses=verdict.hypotheses,
            controls_at=show(verdict.controls_at) if verdict.controls_at else "",
            controls=verdict.controls,
        )

    @property
    def setting(self) -> list[str]:
        """Lines that say what was asked, how it was decided, and what was filled."""
        decided = self.decided and self.decided + self.took
        return [self.asked, *filter(None, (decided, self.filled))]

    def lines(self) -> Iterator[tuple[_Word, str]]:
        """Every line after the first, and the word before it; "quantities" is where their table goes."""
        yield from (("", line) for line in [*filter(None, [self.reason]), *self.setting])
        yield "quantities", ""
        if self.witness:
            yield "witness", self.witness
        yield from (("", line) for line in self.counterexample.splitlines())
        yield from ((_mark(h.holds), f"hypothesis: {h.name}") for h in self.hypotheses)
        if self.controls_at:
            yield "", f"controls at {self.controls_at}:"
        for c in self.controls:
            yield _mark(c.ok), f"control: {c.name}: expected: {c.expected}; got: {c.got}"

    def text(self) -> str:
        """Plain lines, names inert."""
        table = [self.header, *self.rows] if self.rows else []
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"{self.claim}  {self.status}"]
        for word, line in self.lines():
            if word == "quantities":
                cells = ([c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in table)
                lines += [f"  {'  '.join(row).rstrip()}" for row in cells]
            else:
                lines.append(f"  {word} {line}" if word else f"  {line}")
        return "\n".join(map(inert, lines))

    def html(self) -> str:
        """A table for a notebook, names inert and escaped."""
        rows = [
            ("status", f"{self.status}{f' ({self.reason})' if self.reason else ''}"),
            *(("", line) for line in self.setting if line),
            *((row[0], self._in_a_row(row[1:])) for row in self.rows),
            *([("witness", self.witness)] if self.witness else []),
            *((f"hypothesis: {h.name}", "holds" if h.holds else "does NOT hold") for h in self.hypotheses),
        ]
        for c in self.controls:
            rows.append((f"control: {c.name}", f"{c.got} ({'as expected' if c.ok else 'NOT as expected'})"))
        body = "".join(f"<tr><th>{_safe(name)}</th><td>{_safe(value)}</td></tr>" for name, value in rows)
        facts = "\n".join(map(_safe, self.counterexample.splitlines()))
        return f"<table><caption>{_safe(self.claim)}</caption>{body}</table>" + (
            facts and f"<pre>{facts}</pre>"
        )

    def _in_a_row(self, cells: list[str]) -> str:
        """What was measured of one quantity, or of one thing."""
        if self.header[1:] == ["measured", "predicted"]:
            return f"{cells[0]} (predicted {cells[1]})"
        return ", ".join(f"{name} {cell}" for name, cell in zip(self.header[1:], cells, strict=True))


def _witness(verdict: Verdict) -> str:
    witness = verdict.witness
    if isinstance(witness, Mismatch):
        return f"{witness.quantity}: predicted {show(witness.predicted)}, measured {show(witness.measured)}"
    return str(witness) if isinstance(witness, Witness) else ""


def _decided(verdict: Verdict) -> str:
    if not verdict.method:
        return ""
    how = f"verified by {verdict.method}, {verdict.how_exact}"
    if verdict.method == "measured":
        how = "measured in the floats of a function that is not known, not certified"
    of = f"{verdict.margins_of}: " if verdict.margins_of else ""
    return f"{of}{show(verdict.n_queries)} queries {how}"


def _filled(verdict: Verdict) -> str:
    filled, stated = (verdict.parameters.get(name) for name in ("filled_cells", "stated_queries"))
    if not filled:
        return "" if filled is None else "no cell was missing"
    of = f"{show(stated)} of {show(verdict.n_queries)}"
    return f"{show(filled)} missing cells are filled; {of} queries are about stated facts"


def _quantities(verdict: Verdict) -> tuple[list[str], list[list[str]]]:
    measured = verdict.measured
    if measured and all(isinstance(row, dict) for row in measured.values()):  # of several things
        header = ["", *next(iter(measured.values()))]
        return header, [[name, *map(show, row.values())] for name, row in measured.items()]
    header = ["quantity", "measured", *(["predicted"] if verdict.predicted else [])]
    rows = []
    for name, value in measured.items():
        of = f" of {verdict.margins_of}" if verdict.margins_of and name == "min_margin" else ""
        predicted = [show(verdict.predicted.get(name))] if verdict.predicted else []
        rows.append([name + of, show(value), *predicted])
    return header, rows


def _counterexample(verdict: Verdict) -> str:
    witness, facts = verdict.witness, verdict.facts
    if not isinstance(witness, Witness) or not isinstance(facts, FactTable):
        return ""
    return facts_shown(facts, witness.subject, witness.relations)


def _mark(ok: bool) -> _Word:
    return "ok" if ok else "NOT"


def _safe(text: str) -> str:
    return html.escape(inert(text))
