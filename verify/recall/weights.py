"""Anyone's weights: are they right about everything that their sample queries show them to be asked?"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from georecall.constructions.files.weights import answers_digest
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.progress import Progress, watched
from georecall.verify.claims.controls import controlled
from georecall.verify.engines.engine import check_engine, in_engine
from georecall.verify.margins.decide import Found, decide_recall
from georecall.verify.margins.found import Margins
from georecall.verify.margins.hops import all_margins, chain_margins
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import check_fits, margins
from georecall.verify.margins.queries import over_entities
from georecall.verify.recall.controls import wrong_answer_of
from georecall.verify.verdict.outcome import assumed, covered, quantities, recall_verdict, table_sizes
from georecall.verify.verdict.verdict import Verdict

Sample = Mapping[str, Any]

_WORST_FIRST = ("refuted", "inconclusive", "holds")
_OF_ALL: dict[str, Callable[..., Any]] = {"min_margin": min, "engine_queries": sum, "engine_min_margin": min}


@watched("verifying")
def check_recall(
    model: Transformer,
    facts: FactTable,
    *,
    asked: Sequence[Sample] = (),
    typed: bool | None = None,
    made_for: tuple[str | None, str | None] = (None, None),
    assumed: Mapping[str, str] | None = None,
    engine: str = "numpy",
    progress: Progress | None = None,
) -> Verdict:
    """A recall verdict on anyone's weights: is every margin positive?

    Args:
        model: see `verify.margins.margins.margins`.
        facts: what it should recall.
        asked: sample queries (relations and tokens) that show how its prompts are made; default `[s, r]`.
            Several relations after the subject are hops of one pass, before it a chain of thought. Every
            number of hops that a sample of one pass has is asked, and chains of up to as many as one has; the
            verdict is the worst of them.
        typed: whether hop t of one pass asks only for relations of the t-th share of the table's; default:
            if every sample of as many hops does.
        made_for: SHA-256 of the answers, and of the table with its names, that the weights were made for.
        assumed: what was assumed of the weights, by name; it stands in the verdict.
        engine: see `georecall.check`.
        progress: see `georecall.check`.

    Raises:
        ValueError: the model does not fit the facts, or several hops are asked and an answer is no subject;
            or a sample is not of its type, or is a prompt of another form than those that would be asked.
        UsageError: no such engine.
    """
    check_engine(engine)
    start = time.perf_counter()
    check_fits(model, facts)
    forms: dict[_Form, list[Sample]] = {} if asked else {_Form(): []}
    for query in asked:
        forms.setdefault(_form(query, model, facts.n_subjects), []).append(query)
    if any(form.thinks or form.number > 1 for form in forms):
        facts = over_entities(facts)
    verdict = _worst(
        [_judged(form, forms[form], model, facts, typed, engine, progress) for form in sorted(forms)]
    )
    guesses = typed is None and any(form.number > 1 and not form.thinks for form in forms)
    assumes = dict(assumed or {}) | ({"typed": "as the samples show"} if guesses else {})
    said: dict[str, Any] = {"assumed": assumes} if assumes else {}
    reason = verdict.reason
    if other := _other_facts(facts, asked, *made_for):
        said |= {"other_facts": other}
        reason = f"{reason}; {other}" if reason else reason
    return replace(
        verdict,
        reason=reason,
        parameters=verdict.parameters | said,
        seconds=time.perf_counter() - start,
        facts=facts if verdict.status == "refuted" else None,
    )


def _other_facts(
    facts: FactTable, asked: Sequence[Sample], answers_sha256: str | None, facts_sha256: str | None
) -> str | None:
    """How the facts given differ from those that the weights were made for, as far as these are known."""
    for query in asked:
        tokens, relations = list(query["tokens"]), list(query["relations"])
        k = next(place for place, token in enumerate(tokens) if token < facts.n_subjects)
        entities = tokens[k:] if k else tokens[:1]  # at a step of a chain, what has been answered so far too
        path = entities[:1]
        for relation in relations[: len(entities)] if k else relations:
            path.append(int(facts.answers[relation, path[-1]]))
        said = [*entities[1:], *([query["answer"]] if "answer" in query else [])]
        for x, y in zip(said, path[1:] if k else path[-1:], strict=False):
            if x != y:
                question = facts.question(path[0], *relations)
                return f"its own sample of {question} says {x}, the facts given {y}: these are other facts"
    if answers_sha256 not in (None, answers_digest(facts.answers)):
        return "the answers given are not those that it was made for (answers_sha256)"
    if facts_sha256 not in (None, facts.digest):
        return "the names given are not those that it was made for (facts_sha256)"
    return None


class _Form(NamedTuple):
    """What prompts look like: `[s, r_1, ..., r_k]`, or chains of thought whose entities stand from K on."""

    thinks: bool = False
    number: int = 1  # k, or K


def _judged(
    form: _Form,
    samples: Sequence[Sample],
    model: Transformer,
    facts: FactTable,
    typed: bool | None,
    engine: str,
    progress: Progress | None,
) -> Verdict:
    """The verdict on all queries of one form."""
    verdict = Verdict(
        claim="recall",
        status="inconclusive",
        n_facts=facts.n_facts,
        parameters=table_sizes(facts) | {"engine": engine},
    )
    hops, R = form.number, facts.n_relations
    found: Found
    alphabet, max_hops = None, None

    def one_by_one() -> Margins:
        return margins(model, facts, progress=progress)

    try:
        if form.thinks:
            hops = max(sum(token >= facts.n_subjects for token in query["tokens"]) for query in samples)
            max_hops = form.number
            found = chain_margins(model, facts, hops, max_hops=max_hops, progress=progress)
            hops = form.number if found.method == "induction" else hops
        elif hops > 1:
            alphabet = _alphabet(facts, hops, samples, typed)
            found, R = all_margins(model, facts, alphabet, progress=progress), alphabet.shape[1]
        elif engine == "numpy":
            found = decide_recall(model, facts, one_by_one, progress=progress)
        else:
            found = one_by_one()
    except PremiseError as error:
        return replace(verdict, reason=str(error))
    verdict.parameters.update(assumed(facts, hops, typed=facts.n_relations > R))
    verdict = replace(verdict, n_queries=facts.n_subjects * R**hops, measured=quantities(model, found, facts))
    verdict = in_engine(covered(recall_verdict(verdict, found), found), model, found, engine, progress)
    if verdict.status != "holds":
        return verdict
    control = wrong_answer_of(model, facts, found, alphabet=alphabet, max_hops=max_hops)
    return controlled(verdict, [control], None)


def _worst(several: Sequence[Verdict]) -> Verdict:
    """The worst verdict, for the queries of all."""
    worst = min(several, key=lambda v: (_WORST_FIRST.index(v.status), v.min_margin or 0))
    least = [verdict.min_margin for verdict in several if verdict.min_margin is not None]
    if len(least) < len(several):
        return worst
    measured = {name: [verdict.measured.get(name) for verdict in several] for name in _OF_ALL}
    of_all = {name: _OF_ALL[name](found) for name, found in measured.items() if None not in found}
    return replace(
        worst,
        n_queries=sum(verdict.n_queries or 0 for verdict in several),
        min_margin=min(least),
        exact=all(verdict.exact for verdict in several),
        measured=worst.measured | of_all,
        controls=tuple(control for verdict in several for control in verdict.controls),
    )


def _form(query: Sample, model: Transformer, n_subjects: int) -> _Form:
    """The form of a sample; its tokens and, where given, its positions are those of that form.

    Raises:
        ValueError: the prompt has another form.
    """
    tokens, relations = list(query["tokens"]), [n_subjects + r for r in query["relations"]]
    k = next((place for place, token in enumerate(tokens) if token < n_subjects), len(tokens))
    n_entities = len(tokens) - k  # at a step of a chain the subject and what has been answered so far
    given = query.get("positions")
    if k:
        K = given[k] if given is not None and len(given) > k else model.n_ctx // 2
        like, form, positions = "[r_1, ..., r_k, s, x_1, ...]", _Form(True, K), [*range(k)]
        positions += range(K, K + n_entities)
        fits = tokens[: len(relations)] == relations and len(relations) in (n_entities, k)
        fits = fits and 1 <= n_entities <= k <= K
    else:
        like, form, positions = "[s, r_1, ..., r_k]", _Form(False, len(relations)), [*range(len(tokens))]
        fits = tokens[1:] == relations
    most = model.d_vocab - (model.bos is not None)
    known = all(0 <= t < most for t in tokens) and all(n_subjects <= r < most for r in relations)
    subject = tokens[k : k + 1]
    if not (fits and known) or [query.get("subject", *subject)] != subject or given not in (None, positions):
        raise ValueError(
            f"a sample query has tokens {tokens} at positions {given or 'not given'}; relations "
            f"{query['relations']} are asked as {like} at {positions}"
        )
    return form


def _alphabet(facts: FactTable, hops: int, samples: Sequence[Sample], typed: bool | None) -> Numbers:
    """The relations that each hop may ask for; whether they are typed is guessed where nobody says it."""
    share, rest = divmod(facts.n_relations, hops)
    others = [q for q in samples if rest or any(r // share != t for t, r in enumerate(q["relations"]))]
    if typed and not rest and others:
        strange = others[0]["relations"]
        raise ValueError(
            f"typed hops of {facts.n_relations} relations never ask {strange}, but a sample query does"
        )
    return letters(facts, hops, typed=not others if typed is None else typed)
