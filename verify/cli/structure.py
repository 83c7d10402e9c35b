"""`georecall structure`: what is in anyone's model of what C9 says of trained ones."""

from collections.abc import Mapping
from typing import Any

import click

from georecall.theory.tools.errors import in_words
from georecall.verify.cli.options import (
    SEED,
    answering,
    facts_option,
    input_errors,
    read_answers,
    read_facts,
    refusals,
)

_ENDINGS = (".svg", ".pdf", ".png")


def _show(whole: dict[str, Any]) -> None:
    from georecall.verify.cli.terminal import console, escape, table
    from georecall.verify.learned.measured import Structure

    to, found = console(), Structure(whole)
    sizes = (f"{whole[name]} {name.removeprefix('n_')}" for name in ("subjects", "relations", "n_attributes"))
    to.print(f"[bold]structure[/bold]  {', '.join(sizes)}")
    shown = table("measure", "value", "controls", "what it is")
    for row in found.rows:
        shown.add_row(*row)
    to.print(shown)
    for note in found.notes:
        style = "red" if note.split()[0] in whole["fit_fails"] else None
        to.print(f"  {escape(note)}", soft_wrap=True, style=style)
    if "selector_rank" in whole:
        to.print(f"  {_selector(whole)}", soft_wrap=True)
    if whole["figure"]:
        to.print(f"  wrote {escape(whole['figure'])}", soft_wrap=True)


def _selector(whole: dict[str, Any]) -> str:
    """What the floor of exact selectors says of this one."""
    rank, floor = whole["selector_rank"], whole["selector_floor"]
    neurons = f"{whole['selector_switched']} of {whole['selector_width']} neurons"
    switched = f"relations switch {neurons}, rank {rank}"
    if whole["selector_exact"]:
        return f"selector: {switched}; an exact one has rank (R-1) m = {floor} or more: it may be exact"
    return f"selector: {switched}, below (R-1) m = {floor}: it is not exact, and escapes the floor of those"


@click.command(name="structure")
@click.option("--model", metavar="M.safetensors", help="Weights in the export format.")
@click.option("--construction", metavar="MODULE:FUNCTION", help="From facts to weights, or a torch module.")
@click.option("--vectors", metavar="E.npy", help="Subjects' vectors alone, shape (N, d).")
@click.option("--attributes", metavar="U.npy", help="With --vectors: the attributes', shape (|A|, m).")
@click.option("--answers", metavar="A.npy", help="The facts as numbers, int64, shape (R, N).")
@facts_option()
@SEED
@click.option("--figure", metavar="FILE.svg", help="Also draw it: .svg, .pdf or .png.")
@answering(_show)
def command(seed: int, figure: str | None, **given: str | None) -> dict[str, Any]:
    """Measure superposition, probes, swaps, gating, alignment and transfer, each beside its controls.

    And the selector: how many neurons relations switch, and whether that is an exact selector's (C1, Width).

    \b
    georecall structure --model model.safetensors --answers model.answers.npy
    georecall structure --construction mypackage.mymodule:build --facts capitals
    georecall structure --vectors embeddings.npy --attributes unembedding.npy --answers answers.npy

    What does not apply to the model is named with the reason.
    """  # noqa: D301 (click wants the backspace)
    from georecall.verify.cli.output import progress_bar

    if sum(given[name] is not None for name in ("model", "construction", "vectors")) != 1:
        raise click.UsageError("whose structure? give one of --model, --construction and --vectors")
    if (given["answers"] is None) == (given["facts"] is None):
        raise click.UsageError("of which facts? give one of --answers A.npy and --facts FILE|NAME")
    if given["attributes"] is not None and given["vectors"] is None:
        raise click.UsageError("--attributes goes with --vectors: a model's are its unembedding")
    if figure is not None and not figure.endswith(_ENDINGS):
        raise click.UsageError(f"--figure must end in {', '.join(_ENDINGS)}, got {figure}")
    with input_errors(), progress_bar("measuring"), refusals():
        from georecall.verify.learned import structure

        model, facts, attributes = _read(given)
        found = structure(model, facts, attributes=attributes, seed=seed)
    about = {name: value for name, value in given.items() if value is not None}
    whole = about | {
        "subjects": facts.n_subjects,
        "relations": facts.n_relations,
        "n_attributes": facts.n_attributes,
        "seed": seed,
        **found,
        "figure": figure,
    }
    if figure is not None:
        _draw(whole, figure)
    return whole


def _read(given: dict[str, str | None]) -> tuple[Any, Any, Any]:
    """Model or vectors, facts, and the attributes' vectors."""
    from georecall.constructions.files.loading import load_safetensors
    from georecall.constructions.transformer.transformer import Transformer
    from georecall.verify.recall.construction import load_construction

    facts = read_facts(given["facts"], None)
    model = None if given["model"] is None else load_safetensors(given["model"])
    if given["answers"] is not None:
        facts = read_answers(given["answers"], getattr(model, "d_vocab_out", None))
    if model is not None:
        return model, facts, None
    assert facts is not None
    if given["construction"] is not None:
        made: Any = load_construction(given["construction"])(facts)
        if not isinstance(made, Transformer | Mapping) and not hasattr(made, "state_dict"):
            kind = type(made).__name__
            raise ValueError(f"{given['construction']} gives a {kind}, no weights: structure is in weights")
        return made, facts, None
    assert given["vectors"] is not None
    vectors = _array(given["vectors"])
    return vectors, facts, None if given["attributes"] is None else _array(given["attributes"])


def _array(path: str) -> Any:
    """Numbers in a .npy file.

    Raises:
        ValueError: it cannot be read, or holds no real numbers.
    """
    import numpy as np

    try:
        with open(path, "rb") as file:
            found = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is no array in .npy format: {in_words(error, path)}") from error
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {found.dtype}, not real numbers")
    return found


def _draw(whole: dict[str, Any], path: str) -> None:
    from georecall.verify.figures.structure import draw_structure
    from georecall.verify.figures.style import save

    about = {"figure": "structure", "seeds": [whole["seed"]], "parameters": {}, "cells": 1}
    try:
        save(draw_structure(whole), path, title="Structure of a model", about=about)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {in_words(error, path)}") from error
