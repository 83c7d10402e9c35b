"""The command line: `georecall COMMAND ...`.

Exit status: 0 holds or done, 1 refuted, 2 bad usage or input, 3 inconclusive or hypotheses not met,
70 internal error, 130 interrupted. Errors are one line on standard error; a traceback only with
GEORECALL_DEBUG=1.
"""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from typing import Any

import click

from georecall.theory.tools.errors import MissingExtraError
from georecall.theory.tools.fast import is_fast
from georecall.theory.tools.names import inert, no_such
from georecall.theory.tools.version import VERSION
from georecall.verify.cli.streams import Held, deliver

# Commands load when they are called: the help of `georecall` needs neither NumPy nor SymPy.
COMMANDS = {
    "claims": "List the claims, their hypotheses and predictions.",
    "check": "Build, measure and judge a claim, or anyone's weights.",
    "ask": "Answer a question through the weights, step by step.",
    "facts": "Show what is read from a file of facts, and the number of each name.",
    "bound": "Evaluate a floor or a bound on codes, rigorously.",
    "sweep": "Measure grids of cells into a results file that survives anything.",
    "plot": "Draw a figure from a results file.",
    "bench": "Time certified recall against brute force and the machine's limits.",
    "prove": "Compile the machine-checked theorems behind a claim (Coq).",
    "report": "Check every claim and write one page that shows it all.",
    "learn": "Train a model and look for superposition, selection and transfer.",
    "transfer": "Answer new bijections through a frozen MLP, with its controls.",
    "structure": "Look for superposition, selection and transfer in anyone's model.",
    "export": "Write a construction's weights and answers to files.",
    "doctor": "Show where georecall and its dependencies come from.",
}

_COMPLETE = "_GEORECALL_COMPLETE"  # click's name for the variable by which shells ask
EXIT_USAGE, EXIT_INTERNAL, EXIT_INTERRUPTED = 2, 70, 130


class _InterruptedError(Exception):
    """The user pressed Ctrl-C."""


def _hush(ctx: click.Context, _: click.Parameter, quiet: bool) -> None:
    """Lets what is said on the way go nowhere, and at the end all but JSON."""
    if quiet:
        ctx.with_resource(redirect_stderr(io.StringIO()))
        ctx.call_on_close(lambda: ctx.params.get("as_json") or sys.stdout.truncate(0))
        if isinstance(sys.stdout, Held):
            ctx.call_on_close(sys.stdout.notes.clear)


_QUIET = click.Option(
    ["-q", "--quiet"],
    is_flag=True,
    expose_value=False,
    callback=_hush,
    help="Say nothing but errors, and JSON where it is asked for.",
)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"georecall.verify.cli.{cmd_name}").command
        for leaf in command.commands.values() if isinstance(command, click.Group) else (command,):
            if _QUIET not in leaf.params:
                leaf.params.append(_QUIET)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with; the error of a misspelt one names the nearest."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(no_such("command", args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; an interrupt goes past click, which would answer it with an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise _InterruptedError(str(interrupt)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    no_args_is_help=False,  # as the text of an error it would be one line of everything
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="georecall")
def georecall() -> None:
    """Verify the theory of geometric factual recall in transformers.

    \b
    georecall check single-hop --facts countries
    georecall claims

    Names are completed after `eval "$(_GEORECALL_COMPLETE=bash_source georecall)"` (or zsh, fish).
    """  # noqa: D301 (click wants the backspace)
    try:
        is_fast(0)
    except (ValueError, MissingExtraError) as error:
        raise click.UsageError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command line and exits with the status that the outcome has, also where nobody listens."""
    if sys.stdout is None or sys.stderr is None:
        nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (as long as the process)
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    if _COMPLETE in os.environ:
        georecall.main(prog_name="georecall", complete_var=_COMPLETE)
    os.environ["MPLBACKEND"] = "agg"  # no command opens a window, and a notebook's backend may not be here
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Runs a command line; the exit status. Standard output is written at the end, and only of an outcome."""
    try:
        with redirect_stdout(Held(sys.stdout)) as said:
            status = georecall.main(args=list(arguments), prog_name="georecall", standalone_mode=False)
        deliver(said)
        return status if isinstance(status, int) else 0
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "georecall"
        return _fail(f"{error.format_message()} (see `{where} --help`)", EXIT_USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), EXIT_USAGE)
    except (_InterruptedError, KeyboardInterrupt, click.Abort) as interrupt:
        return _fail(f"interrupted{f': {interrupt}' if str(interrupt) else ''}", EXIT_INTERRUPTED)
    except BaseException as error:  # also a user's code that exits: that is no verdict
        if os.environ.get("GEORECALL_DEBUG"):
            traceback.print_exc()
        return _fail(*_unforeseen(error))


def _unforeseen(error: BaseException) -> tuple[str, int]:
    """What is said of an error that no command answers, and the exit status."""
    if isinstance(error, OSError):  # a full disk, under a file or under what standard output goes to
        at = f" {error.filename}" if error.filename else ""
        return f"cannot read or write{at}: {error.strerror or error}", EXIT_USAGE
    if isinstance(error, MemoryError | OverflowError):  # what no limit foresaw
        return f"more than fits{f' ({error})' if str(error) else ''}: ask for less", EXIT_USAGE
    text = f"{type(error).__name__}: {error}"
    return f"internal error, {text} (GEORECALL_DEBUG=1 shows where; please report it)", EXIT_INTERNAL


def _fail(message: str, status: int) -> int:
    with suppress(OSError):  # where nothing can be written, the status speaks alone
        click.echo(f"georecall: {inert(' '.join(message.split()))}", err=True)
    return status
