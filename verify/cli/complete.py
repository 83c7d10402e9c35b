"""What the shell completes, and what a claim's label means."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

_Words = Callable[[], Iterable[str]]


class Word(click.ParamType):  # type: ignore[type-arg]
    """A word that the shell completes from a list; what is wrong with another one, the command says.

    Args:
        words: makes the list, when it is asked for.
        files: whether it may be a file instead.
    """

    name = "text"

    def __init__(self, words: _Words, *, files: bool = False) -> None:
        self.words, self.files = words, files

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word as it is."""
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words that begin so, whatever the case; else files, as the shell knows them."""
        begun = [word for word in self.words() if word.casefold().startswith(incomplete.casefold())]
        if self.files and (not begun or os.path.lexists(incomplete)):
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(word) for word in begun]


class ClaimName(Word):
    """A claim, by its name or its label: single-hop, C1, C5b."""

    def __init__(self) -> None:
        super().__init__(_claims)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; a label that several claims share is refused."""
        from georecall.theory.claims import claim_name

        try:
            return claim_name(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _claims() -> list[str]:
    from georecall.theory.claims import CLAIMS

    return [*CLAIMS, *dict.fromkeys(claim.label for claim in CLAIMS.values())]


def bounds() -> Iterable[str]:
    """The bounds."""
    from georecall.bounds import BOUNDS

    return BOUNDS


def constructions() -> Iterable[str]:
    """The constructions on the public list."""
    from georecall.constructions import CONSTRUCTIONS

    return CONSTRUCTIONS


def figures() -> Iterable[str]:
    """The figures."""
    from georecall.verify.figures.catalogue import FIGURES

    return FIGURES


def data_sets() -> Iterable[str]:
    """The shipped data sets."""
    from georecall.theory.facts import datasets

    return datasets.names()
