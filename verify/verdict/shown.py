"""A verdict in words: what a terminal, a notebook and a report show is read off here."""

import html
from dataclasses import dataclass

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.names import inert
from georecall.theory.tools.numerals import exactly
from georecall.verify.margins.lead import Witness
from georecall.verify.usage import show
from georecall.verify.verdict.table import shown as facts_shown
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict


@dataclass(frozen=True)
class Shown:
    """A verdict in words.

    Args:
        claim: its name.
        status: as in the verdict.
        reason: why, or nothing.
        setting: lines that say what was asked, how it was decided, and what was filled.
        header: of the table of quantities.
        rows: of that table.
        witness: the query or quantity that refutes, or nothing.
        counterexample: the table of facts with that query marked, or nothing.
        hypotheses: each, and whether it holds.
        controls_at: where the controls ran, or nothing.
        controls: each, and what it showed.
    """

    claim: str
    status: str
    reason: str
    setting: list[str]
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
            setting=_setting(verdict),
            header=header,
            rows=rows,
            witness=witness_of(verdict),
            counterexample=_counterexample(verdict),
            hypotheses=verdict.hypotheses,
            controls_at=show(verdict.controls_at) if verdict.controls_at else "",
            controls=verdict.controls,
        )

    def text(self) -> str:
        """Plain lines, names inert."""
        rows = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if self.rows else []
        quantities = [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (rows if self.rows else [])
        ]
        lines = [
            f"{self.claim}  {self.status}",
            *([f"  {self.reason}"] if self.reason else []),
            *(f"  {line}" for line in self.setting),
            *quantities,
            *([f"  witness  {self.witness}"] if self.witness else []),
            *(f"  {line}" for line in self.counterexample.splitlines()),
            *(f"  {_mark(h.holds)} hypothesis: {h.name}" for h in self.hypotheses),
            *([f"  controls at {self.controls_at}:"] if self.controls_at else []),
            *(f"  {_mark(c.ok)} {told(c)}" for c in self.controls),
        ]
        return "\n".join(inert(line) for line in lines)

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
        facts = f"<pre>{_safe(self.counterexample, lines=True)}</pre>" if self.counterexample else ""
        return f"<table><caption>{_safe(self.claim)}</caption>{body}</table>{facts}"

    def _in_a_row(self, cells: list[str]) -> str:
        """What was measured of one quantity, or of one thing."""
        if self.header[1:] == ["measured", "predicted"]:
            return f"{cells[0]} (predicted {cells[1]})"
        return ", ".join(f"{name} {cell}" for name, cell in zip(self.header[1:], cells, strict=True))


def told(control: ControlResult) -> str:
    """A control in words."""
    return f"control: {control.name}: expected: {control.expected}; got: {control.got}"


def witness_of(verdict: Verdict) -> str:
    """What refutes, in words."""
    witness = verdict.witness
    if isinstance(witness, Mismatch):
        return f"{witness.quantity}: predicted {show(witness.predicted)}, measured {show(witness.measured)}"
    return str(witness) if isinstance(witness, Witness) else ""


def how_decided(verdict: Verdict) -> str:
    """How many queries were verified, and how; nothing where none were."""
    if not verdict.method:
        return ""
    how = f"verified by {verdict.method}, {verdict.how_exact}"
    if verdict.method == "measured":
        how = "measured in the floats of a function that is not known, not certified"
    of = f"{verdict.margins_of}: " if verdict.margins_of else ""
    return f"{of}{show(verdict.n_queries)} queries {how}"


def _setting(verdict: Verdict) -> list[str]:
    filled, stated = (verdict.parameters.get(name) for name in ("filled_cells", "stated_queries"))
    hidden = ("facts_sha256", "filled_cells", "stated_queries")
    given = (
        f"{name} {exactly(value) if isinstance(value, float) else show(value)}"
        for name, value in verdict.parameters.items()
        if value is not None and name not in hidden and (name, value) != ("engine", "numpy")
    )
    parts = [", ".join(given)]
    if verdict.method:
        took = f", in {verdict.seconds:.2f} s" if verdict.seconds is not None else ""
        parts.append(how_decided(verdict) + took)
    if filled == 0:
        parts.append("no cell was missing")
    elif filled is not None:
        of = f"{show(stated)} of {show(verdict.n_queries)}"
        parts.append(f"{show(filled)} missing cells are filled; {of} queries are about stated facts")
    return parts


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


def _mark(ok: bool) -> str:
    return "ok" if ok else "NOT"


def _safe(text: str, *, lines: bool = False) -> str:
    parts = text.splitlines() if lines else [text]
    return "\n".join(html.escape(inert(part)) for part in parts)
