"""Put anyone's weights, or anyone's construction, under test in one line of a test suite."""

from collections.abc import Callable, Iterator

from constructions.transformer import Transformer
from theory.facts import FactTable, random_bijections, random_functions
from theory.randomness import generator
from verify.checking import check_recall

Construction = Callable[[FactTable], Transformer]


def assert_recalls(model_or_construction: Transformer | Construction, facts: FactTable | None = None) -> None:
    """Passes if every fact is recalled with a positive margin.

    Args:
        model_or_construction: weights, or a function from facts to weights.
        facts: what to recall. A construction without facts is tried on random and degenerate tables,
            from the smallest up.

    Raises:
        AssertionError: a fact is not recalled, or it cannot be decided; the message is the
            counterexample.
        TypeError: weights without facts.

    Example:
        >>> from constructions import in_place_superposition
        >>> assert_recalls(in_place_superposition)
        >>> assert_recalls(lambda facts: in_place_superposition(facts, gate=0.25))
        Traceback (most recent call last):
            ...
        AssertionError: 2 of 4 facts wrong; r0 of s0: right a0, got a1, margin -1; answers [[0, 1], [1, 0]]
    """
    if isinstance(model_or_construction, Transformer):
        if facts is None:
            raise TypeError("weights are checked against facts: assert_recalls(model, facts)")
        _assert_recalled(model_or_construction, facts)
        return
    for table in _tables() if facts is None else (facts,):
        _assert_recalled(model_or_construction(table), table)


def _assert_recalled(model: Transformer, facts: FactTable) -> None:
    verdict = check_recall(model, facts)
    if verdict.status == "holds":
        return
    table = f"answers {facts.answers.tolist()}" if facts.n_facts < 100 else repr(facts)
    raise AssertionError("; ".join(str(part) for part in (verdict.reason, verdict.witness, table) if part))


def _tables() -> Iterator[FactTable]:
    """Tables on which mistakes show, the smallest first."""
    yield FactTable([[0, 1], [1, 0]])
    yield FactTable([[0, 0, 1]])  # |A| < N, one relation
    yield FactTable([[2, 0], [2, 0], [2, 0]], n_attributes=5)  # equal relations, |A| > N
    yield FactTable([[1, 1, 1], [0, 1, 2]])  # a constant relation
    for n_subjects, n_relations in ((3, 2), (5, 1), (8, 4), (13, 3), (64, 8)):
        rng = generator(0, "assert_recalls", n_subjects, n_relations)
        yield random_bijections(n_subjects, n_relations, rng=rng)
        yield random_functions(n_subjects, n_relations, 2 * n_subjects, rng=rng)
