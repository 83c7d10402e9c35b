"""Options that several commands share, and the errors that they turn into one line."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import Any

import click

from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.spelling import FactsWarning
from georecall.theory.tools.errors import CheckpointError, MissingExtraError, in_words
from georecall.verify.cli.complete import Word
from georecall.verify.cli.streams import Held

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


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
        return int(number**exponent if match[2] in (None, "^", "**") else number * 10**exponent)


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


def count(name: str, says: str, **more: Any) -> Decorator:
    """An option that is a whole number."""
    return click.option(name, type=Count(), help=says, **more)


def counts(*names: str, says: str) -> Decorator:
    """An option that is several whole numbers, with commas or given again."""

    def in_one(_: click.Context, __: click.Parameter, given: Any) -> tuple[int, ...]:
        return tuple(number for numbers in given for number in numbers)

    return click.option(*names, type=CountList(), multiple=True, callback=in_one, help=says)


def number(name: str, says: str) -> Decorator:
    """An option that is a number, exactly as it is written."""
    return click.option(name, type=ExactNumber(), help=says)


def together(*options: Decorator) -> Decorator:
    """Several options as one decorator."""

    def decorated(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


DATA_SET = Word("georecall.theory.facts.datasets", "names", files=True)


def facts_option(*, required: bool = False) -> Decorator:
    """--facts."""
    says = "Facts from a file (CSV, tabs, JSON, triples; -), or a shipped data set."
    return click.option("--facts", type=DATA_SET, metavar="FILE|NAME", required=required, help=says)


MISSING = click.option(
    "--missing",
    type=click.Choice(["unknown"]),
    help="Fill missing cells with the attribute 'unknown'; a verdict counts them.",
)
SEED = count("--seed", "Seed of the random draws.", default=0, show_default=True)
SCHEDULER = click.option(
    "--scheduler", metavar="ADDRESS", help="Let the Dask cluster at this address do it instead."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

facts_options = together(
    count("--subjects", "N of a random table (also 2^20); default 1000, or what suits the claim."),
    count("--relations", "R of a random table; default 8, or what suits the claim."),
    click.option(
        "--table",
        type=click.Choice(["bijections", "functions"]),
        help="Kind of random table; default bijections.",
    ),
    facts_option(),
    MISSING,
    SEED,
)
"""Which facts: drawn at random, or read."""

claim_options = together(
    count("--bits", "p, bits per coordinate (or coordinates per neuron); default 4."),
    number("--gate", "Half the lift of the block asked for; default what the claim needs."),
    count("--code-length", "m; default the least that tells attributes apart."),
    count("--code-distance", "h, least Hamming distance of the code; default 1."),
    click.option(
        "--embedding",
        type=click.Choice(["plain", "zero-forced", "optimised"]),
        help="Of single-hop-dense: how a subject combines its attribute vectors; default plain.",
    ),
    number("--delta", "Share of random draws that may fail; default 0.1."),
    count("--trials", "Most draws of a random construction (default 512); training runs (default 3)."),
    count("--hops", "k, hops of a question (K, the most, for chain of thought)."),
    count("--stages", "c, stages, from 1 to the hops, with a memory between two."),
    count("--split", "a, hops that embeddings answer; W_U answers the others."),
    click.option("--typed", is_flag=True, default=None, help="Every hop has relations of its own."),
    click.option("--merged", is_flag=True, default=None, help="sequential-hops in one layer per hop."),
    click.option("--readout", type=click.Choice(["in-place", "separate"]), help="Where the answer is read."),
    click.option(
        "--attention",
        type=click.Choice(["hard", "soft"]),
        help="Of several hops; default hard.",
    ),
    number("--margin", "What soft attention must keep; sets the scores."),
)
"""What single claims take; each takes those options that mean something to it."""


def answering(
    show: Callable[[dict[str, Any]], None], status: Callable[[dict[str, Any]], int] = lambda _: 0
) -> Decorator:
    """Adds --json to a command, whose answer is printed as one JSON object or as `show` does."""

    def commanded(answer: Callable[..., dict[str, Any]]) -> Function:
        @JSON
        @wraps(answer)
        def command(*, as_json: bool, **given: Any) -> int:
            found = answer(**given)
            if as_json:
                from georecall.verify.cli.output import print_json

                print_json(found)
            else:
                show(found)
            return status(found)

        return command

    return commanded


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
    """Turns errors about what the user gave, or has not installed, into one line and exit status 2."""
    from georecall.verify.usage import Option, UsageError

    try:
        yield
    except (FactsError, MissingExtraError, CheckpointError) as error:
        raise click.ClickException(str(error)) from error
    except UsageError as error:
        said = (flag(part) if isinstance(part, Option) else part for part in error.args)
        raise click.ClickException("".join(said)) from error


def read_answers(path: str, n_attributes: int | None = None) -> FactTable:
    """The facts of --answers; noted if R > N, as of a table turned round."""
    from georecall.constructions.files.reading import load_answers

    facts = FactTable(load_answers(path), n_attributes=n_attributes)
    R, N = facts.answers.shape
    if R > N and isinstance(sys.stdout, Held):
        turned = f"{path} is read as {R} relations of {N} subjects; transpose it if these are {R} subjects"
        sys.stdout.notes.append(turned)
    return facts


@contextmanager
def refusals() -> Iterator[None]:
    """What is refused inside, such as a file, is about what the user gave."""
    from georecall.verify.usage import UsageError

    try:
        yield
    except (MissingExtraError, UsageError):
        raise
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed: pip install 'georecall[export]'") from error
    except ValueError as error:
        raise UsageError(str(error)) from error


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns errors about results files, clusters and measurements into one line and exit status 2."""
    from georecall.verify.sweep import SweepError

    try:
        yield
    except (OSError, SweepError) as error:
        raise click.ClickException(in_words(error)) from error


def flag(name: str) -> str:
    """A Python option as the command line spells it."""
    return f"--{name.replace('_', '-')}"


def read_facts(facts: str | None, missing: Any, claim: str | None = None) -> FactTable | None:
    """The table that --facts names: a file if it exists or has an ending, else a shipped data set.

    For a claim about chains of relations its attributes are subjects. What the reader warns of is noted on
    standard error, in a line each, unless the command fails.
    """
    if facts is None:
        if missing is not None:
            raise FactsError("--missing is about cells of a file: it needs --facts FILE")
        return None
    from georecall.theory.facts import datasets

    path, told = Path(facts), list[warnings.WarningMessage]()
    is_file = os.path.lexists(facts)
    if facts != "-" and not is_file and not path.suffix and path.name == facts:
        table = datasets.load(facts)
    else:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", FactsWarning)
            try:
                table = FactTable.from_file(facts, missing=missing)
            except FactsError as error:
                known = path.stem in datasets.names() and not is_file
                hint = f" (the shipped data set is called {path.stem!r})" if known else ""
                raise FactsError(f"{error}{hint}") from error
    if isinstance(sys.stdout, Held):
        sys.stdout.notes += [str(warning.message) for warning in told]
    if claim is None:
        return table
    from georecall.theory.claims import CLAIMS

    chains = claim in CLAIMS and "hops" in CLAIMS[claim].parameters
    return table.to_entities(missing=missing) if chains else table
