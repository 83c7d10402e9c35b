"""What a single pass holds, layer by layer: questions of several hops without a chain of thought.

The residual stream of C5 and C10 is laid out in named groups of words (`Storage.layout`): blocks, a readout,
a table. At the last position of a prompt a group holds an entity where its coordinates are the signs of that
entity's word, near enough; it holds nothing where they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import sign_code
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.prompts import subject_first
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable

_GROUPS = ("block", "output", "readout", "table")
_NEAR = 0.5  # a coordinate that stands for a sign is nearer to it than to anything else


@dataclass(frozen=True)
class Layer:
    """What the last position holds after one layer.

    Args:
        number: of the layer, from 1.
        holds: for each group of words that holds any, the entities in its places; None in one that holds
            none. After the last layer only what W_U reads.
    """

    number: int
    holds: dict[str, tuple[str | None, ...]]

    def __str__(self) -> str:
        return "; ".join(f"{name} {_listed(entities)}" for name, entities in self.holds.items()) or "nothing"


def layers(model: Transformer, facts: FactTable, subject: int, relations: Sequence[int]) -> list[Layer]:
    """What each layer of a construction of C5 or C10 holds of a question.

    The model has a layout and is built with the default code; relations stand the first hop first.

    Raises:
        ValueError: the model does not say how its residual is laid out, or has too few positions.

    Example:
        >>> from georecall import sequential_hops
        >>> facts = FactTable([[1, 2, 0], [0, 0, 1]], subjects=["a", "b", "c"], attributes=["a", "b", "c"])
        >>> [str(layer) for layer in layers(sequential_hops(facts), facts, 0, [0, 1])]
        ['readout b', 'block c, a', 'readout a']
    """
    if model.storage is None or model.storage.layout is None:
        raise ValueError("the model does not say how its residual stream is laid out")
    words, space = sign_code(facts.n_subjects).words, model.storage.layout
    groups = {name: space[name].reshape(-1, words.shape[1]) for name in _GROUPS if name in space}
    read = dense(model.W_U).any(axis=1)
    tokens = subject_first(facts.n_subjects, np.array([subject]), *relations)
    found = []
    for number in range(1, model.n_layers + 1):
        x = dense(replace(model, blocks=model.blocks[:number]).residual(tokens))[0]
        holds = {}
        for name, places in groups.items():
            if number == model.n_layers:
                places = places[read[places].all(axis=1)]
            entities = tuple(_entity(x[place], words) for place in places)
            if any(entity is not None for entity in entities):
                holds[name] = tuple(None if e is None else facts.subject_name(e) for e in entities)
        found.append(Layer(number, holds))
    return found


def _entity(x: NDArray[np.float64], words: NDArray[np.int64]) -> int | None:
    """The entity whose word some coordinates hold, if any."""
    near = np.flatnonzero((np.abs(words - x) < _NEAR).all(axis=1))
    return int(near[0]) if len(near) else None


def _listed(entities: Sequence[str | None]) -> str:
    """Some of the entities, as one reads them."""
    if len(entities) > 1 and len(set(entities)) == 1:
        return f"{entities[0]} in all {len(entities)} places"
    shown = ", ".join("-" if entity is None else entity for entity in entities[:4])
    return shown + (f", ... ({len(entities)} places)" if len(entities) > 4 else "")
