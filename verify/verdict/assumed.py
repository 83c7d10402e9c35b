"""What a verdict rests on that nobody stated: it says how much of the facts was filled."""

from typing import Any

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.protocol import Table
from georecall.theory.facts.strings import letters, stated_queries


def assumed(facts: Table, hops: int = 1, *, typed: bool = False) -> dict[str, Any]:
    """Parameters of a verdict: cells filled with "unknown", and queries about stated facts in every hop.

    Of a table that is stated in full there is nothing to say.
    """
    if not isinstance(facts, FactTable) or not facts.n_filled:
        return {}
    stated = stated_queries(facts, letters(facts, hops, typed=typed))
    return {"filled_cells": facts.n_filled, "stated_queries": stated}
