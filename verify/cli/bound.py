"""`georecall bound`: how little could ever do, enclosed between two exact numbers."""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import click

from georecall.bounds.parameters import PARAMETERS
from georecall.verify.cli.complete import Word
from georecall.verify.cli.options import (
    JSON,
    Count,
    ExactNumber,
    every_digit,
    input_errors,
    refusals,
    together,
)

EXIT_NO_STATEMENT = 3
FLAGS = {parameter.name: parameter.option for parameter in PARAMETERS}
_READ: dict[str, dict[str, Any]] = {
    "whole": {"type": Count()},
    "real": {"type": ExactNumber()},
    "flag": {"is_flag": True, "default": None},
}


class _Bound(click.Command):
    """`georecall bound`, whose --help after a name states that bound."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, but for help on one bound."""
        from georecall.bounds import BOUNDS

        asked = next((word for word in args if word in BOUNDS), None)
        if asked is not None and "--help" in args:
            click.echo(_stated(asked, BOUNDS[asked]))
            ctx.exit()
        return super().parse_args(ctx, args)


@click.command(name="bound", cls=_Bound)
@click.argument("name", required=False, type=Word("georecall.bounds", "BOUNDS"))
@together(*(click.option(p.option, p.name, help=p.meaning, **_READ[p.kind]) for p in PARAMETERS))
@JSON
@every_digit()
def command(name: str | None, as_json: bool, **options: Any) -> int:
    """Evaluate the bound NAME rigorously; without a name, list the bounds and what each takes.

    \b
    georecall bound counting --subjects 2^16 --relations 8
    georecall bound multi-hop --subjects 256 --relations 2 --hops 2
    georecall bound multi-hop --help

    Exit status 3 where the bound says nothing at these parameters.
    """  # noqa: D301 (click wants the backspace)
    from georecall.bounds import BOUNDS, NoStatementError
    from georecall.theory.tools.names import no_such
    from georecall.verify.usage import UsageError

    if name is None:
        _list(BOUNDS)
        return 0
    if name not in BOUNDS:
        raise click.UsageError(no_such("bound", name, BOUNDS))
    given = {parameter: value for parameter, value in options.items() if value is not None}
    _check_options(name, BOUNDS[name], given)
    with input_errors(), refusals():
        try:
            enclosure = BOUNDS[name](**given)
        except NoStatementError as error:
            click.echo(f"georecall: {error}", err=True)
            return EXIT_NO_STATEMENT
        except ValueError as error:  # which begins with the parameter, as Python calls it
            parameter, _, what = str(error).partition(" ")
            raise UsageError(f"{FLAGS.get(parameter, parameter)} {what}") from error
    if as_json:
        from georecall.verify.cli.output import print_json

        print_json(_described(name, enclosure, given))
    else:
        click.echo(f"{name}: {enclosure}{f' ({enclosure.argument})' if enclosure.argument else ''}")
    return 0


def _stated(name: str, bound: Callable[..., Any]) -> str:
    """What a bound says and why, and the options that it takes."""
    text = re.split(r"\n(?:Args:|Returns:|>>>)", inspect.getdoc(bound) or "")[0].rstrip()
    meanings = {parameter.name: parameter.meaning for parameter in PARAMETERS}
    takes = "\n".join(
        f"  {FLAGS[p.name]:20} {meanings[p.name]}{' Needed.' if p.default is p.empty else ''}"
        for p in inspect.signature(bound).parameters.values()
    )
    return f"georecall bound {name}\n\n{text}\n\nOptions:\n{takes}\n  {'--json':20} Print one JSON object."


def _check_options(name: str, bound: Callable[..., Any], given: dict[str, Any]) -> None:
    taken = inspect.signature(bound).parameters
    for parameter in given:
        if parameter not in taken:
            takes = ", ".join(FLAGS[p] for p in taken if p in FLAGS)
            raise click.UsageError(f"{name} has no option {FLAGS[parameter]}; it takes {takes}")
    missing = [FLAGS[p.name] for p in taken.values() if p.default is p.empty and p.name not in given]
    if missing:
        raise click.UsageError(f"{name} needs {' and '.join(missing)}")


def _described(name: str, enclosure: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Name, lower, upper, unit, parameters and argument; the ends rounded outward to floats, integers kept.

    The upper end is null where there is none, or none that a float has; the decimals have it then.
    """
    low, high = enclosure.decimals(int(given.get("digits", 30)))
    lower, upper = enclosure.lower_float, enclosure.upper_float
    if enclosure.is_exact and enclosure.lower.denominator == 1:
        lower = upper = int(enclosure.lower)
    return {
        "name": name,
        "lower": lower,
        "upper": upper if upper < math.inf else None,
        "unit": enclosure.unit,
        "parameters": {p: v if isinstance(v, int) else _exact(v) for p, v in given.items()},
        "argument": enclosure.argument or None,
        "decimals": {"lower": low, "upper": high},
    }


def _exact(value: Fraction) -> int | str:
    return int(value) if value.denominator == 1 else str(value)


def _list(named: Mapping[str, Callable[..., Any]]) -> None:
    from georecall.verify.cli.terminal import console, table

    listed = table("bound", "says", "takes")
    for name, bound in named.items():
        says = (inspect.getdoc(bound) or "").split("\n")[0]
        listed.add_row(
            name, says, " ".join(FLAGS[p] for p in inspect.signature(bound).parameters if p in FLAGS)
        )
    console().print(listed)
