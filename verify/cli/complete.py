"""What the shell completes, and what a claim's label means."""

import os
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem


class Word(click.ParamType):  # type: ignore[type-arg]
    """A word that the shell completes from a list; what is wrong with another one, the command says.

    Args:
        module: where the list is; it loads when the list is asked for.
        known: its name there: the words, or a function that gives them.
        files: whether it may be a file instead.
    """

    name = "text"

    def __init__(self, module: str, known: str, *, files: bool = False) -> None:
        self.module, self.known, self.files = module, known, files

    def words(self) -> Iterable[str]:
        """All of them."""
        known: Any = getattr(import_module(self.module), self.known)
        return known() if callable(known) else known  # type: ignore[no-any-return]

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
        super().__init__("georecall.theory.claims", "CLAIMS")

    def words(self) -> Iterable[str]:
        """Names, then labels."""
        from georecall.theory.claims import CLAIMS

        return [*CLAIMS, *dict.fromkeys(claim.label for claim in CLAIMS.values())]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; a label that several claims share is refused."""
        from georecall.theory.claims import claim_name

        try:
            return claim_name(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
