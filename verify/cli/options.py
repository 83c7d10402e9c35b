"""Options that several commands share, and the errors that they turn into one line."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.spelling import FactsWarning
from georecall.verify.cli.complete import Word, data_sets
from georecall.verify.cli.streams import Held


class Count(click.ParamType):  # type: ignore[type-arg]
    """A whole number, written 1048576, 1_048_576, 1e6 or 2^20."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; small enough that a slip such as 10^999 is an error and not a hang."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"\s*([+-]?\d[\d_]{0,18})(?:(\^|\*\*|[eE]\+?)(\d{1,2}))?\s*", value)
        if match is None:
            several = "; here it is one number" if "," in value else ""
            self.fail(f"{value!r} is not a whole number such as 1000, 1e6 or 2^20{several}", param, ctx)
        number, exponent = int(match[1]), int(match[3] or 1)
        if match[2] in (None, "^", "**"):
            return int(number**exponent)
        return int(number * 10**exponent)


class CountList(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers, written 64,128,256."""

    name = "counts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers, in order."""
        if isinstance(value, tuple):
            return value
        return tuple(Count().convert(part, param, ctx) for part in value.split(","))


def in_one(ctx: click.Context, param: click.Parameter, given: Any) -> tuple[int, ...]:  # noqa: ARG001
    """The numbers of an option that may be given several times."""
    return tuple(number for numbers in given for number in numbers)


class ExactNumber(click.ParamType):  # type: ignore[type-arg]
    """A number read exactly: 2, 0.5, 1e-3 or 1/3."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """The number as written, not its nearest float; of an exponent that is an error and not a hang."""
        try:
            if re.search(r"e[+-]?[\d_]{5}", value, re.IGNORECASE):
                self.fail(f"{value!r} is too far from 1: exponents have at most four digits", param, ctx)
            return Fraction(value.replace(" ", ""))
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a number such as 0.5, 1e-3 or 1/3", param, ctx)


@contextmanager
def every_digit() -> Iterator[None]:
    """Whole numbers are written in full, however long; Python itself stops at 4300 digits."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(limit)


@contextmanager
def input_errors() -> Iterator[None]:
    """Turns errors about what the user gave into one line and exit status 2."""
    from georecall.verify.usage import Option, UsageError

    try:
        yield
    except FactsError as error:
        raise click.ClickException(str(error)) from error
    except UsageError as error:
        said = (flag(part) if isinstance(part, Option) else part for part in error.args)
        raise click.ClickException("".join(said)) from error


def flag(name: str) -> str:
    """A Python option as the command line spells it."""
    return f"--{name.replace('_', '-')}"


def facts_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which facts: drawn at random, or read."""
    options = (
        click.option(
            "--subjects",
            type=Count(),
            help="N of a random table (also 2^20); default 1000, or what suits the claim.",
        ),
        click.option(
            "--relations", type=Count(), help="R of a random table; default 8, or what suits the claim."
        ),
        click.option(
            "--table",
            type=click.Choice(["bijections", "functions"]),
            help="Kind of random table; default bijections.",
        ),
        click.option(
            "--facts",
            type=Word(data_sets, files=True),
            metavar="FILE|NAME",
            help="Facts from a file (CSV, tabs, JSON, triples; -), or a shipped data set.",
        ),
        click.option(
            "--missing",
            type=click.Choice(["unknown"]),
            help="Fill missing cells with the attribute 'unknown'; the verdict counts them.",
        ),
        click.option("--seed", type=Count(), default=0, show_default=True, help="Seed of the random draws."),
    )
    return _with(options, function)


def claim_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of single claims; each claim takes those that mean something to it."""
    options = (
        click.option(
            "--bits", type=Count(), help="p, bits per coordinate (or coordinates per neuron); default 4."
        ),
        click.option(
            "--gate",
            type=ExactNumber(),
            help="Half the lift of the block asked for; default what the claim needs.",
        ),
        click.option("--code-length", type=Count(), help="m; default the least that tells attributes apart."),
        click.option(
            "--code-distance", type=Count(), help="h, least Hamming distance of the code; default 1."
        ),
        click.option(
            "--embedding",
            type=click.Choice(["plain", "zero-forced", "optimised"]),
            help="Of single-hop-dense: how a subject combines its attribute vectors; default plain.",
        ),
        click.option("--delta", type=ExactNumber(), help="Share of random draws that may fail; default 0.1."),
        click.option(
            "--trials",
            type=Count(),
            help="Most draws of a random construction (default 512); training runs (default 3).",
        ),
    )
    hops = (
        click.option(
            "--hops", type=Count(), help="k, hops of a question (K, the most, for chain of thought)."
        ),
        click.option(
            "--stages", type=Count(), help="c, stages, from 1 to the hops, with a memory between two."
        ),
        click.option("--split", type=Count(), help="a, hops that embeddings answer; W_U answers the others."),
        click.option("--typed", is_flag=True, default=None, help="Every hop has relations of its own."),
        click.option("--merged", is_flag=True, default=None, help="sequential-hops in one layer per hop."),
        click.option(
            "--readout", type=click.Choice(["in-place", "separate"]), help="Where the answer is read."
        ),
        click.option(
            "--attention",
            type=click.Choice(["hard", "soft"]),
            help="Of chain-of-thought; default hard.",
        ),
        click.option("--margin", type=ExactNumber(), help="What soft attention must keep; sets the scores."),
    )
    return _with((*options, *hops), function)


def read_facts(facts: str | None, missing: Any) -> FactTable | None:
    """The table that --facts names: a file if it exists or has an ending, else a shipped data set.

    What the reader warns of is noted on standard error, in a line each, unless the command fails.
    """
    if facts is None:
        if missing is not None:
            raise FactsError("--missing is about cells of a file: it needs --facts FILE")
        return None
    from georecall.theory.facts import datasets

    path = Path(facts)
    if (
        facts != "-"
        and not os.path.lexists(facts)
        and (not facts or (not path.suffix and path.name == facts))
    ):
        return datasets.load(facts)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FactsWarning)
        try:
            table = FactTable.from_file(facts, missing=missing)
        except FactsError as error:
            known = path.stem in datasets.names() and not os.path.lexists(facts)
            hint = f" (the shipped data set is called {path.stem!r})" if known else ""
            raise FactsError(f"{error}{hint}") from error
    if isinstance(sys.stdout, Held):
        sys.stdout.notes += [str(warning.message) for warning in told]
    return table


def read_answers(path: str, facts: str | None) -> FactTable:
    """The table that --answers gives in numbers, for whom has no names."""
    from georecall.constructions.files.reading import load_answers

    if facts is not None:
        raise FactsError("give --facts, or --answers in numbers, not both")
    try:
        return FactTable(load_answers(path))
    except ValueError as error:
        raise FactsError(str(error)) from error


def asks_hops(claim: str) -> bool:
    """Whether a claim is about chains of relations, for which attributes must be subjects."""
    from georecall.theory.claims import CLAIMS

    return claim in CLAIMS and "hops" in CLAIMS[claim].parameters


def _with(options: tuple[Any, ...], function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function
