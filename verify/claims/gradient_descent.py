"""C9 under test: several training runs, each measured against the claim's thresholds.

Recall is proved (`verify.margins`). Transfer is also asked of all tables at once (`learned.all_tables`): at
two relations its average is exact. Probes, swaps and transfer are shares with Clopper-Pearson intervals;
every subject is asked one relation, so that the draws may count as independent, and the error is split over
all intervals of the check. The claim holds if every run reaches every threshold (the lower ends of its
intervals do), is refuted if one certainly falls short, and is inconclusive otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

from georecall.constructions.gradient_descent import trained
from georecall.constructions.memories import sign_code_memory
from georecall.constructions.training.loop import libraries
from georecall.constructions.training.recipe import recipe_for
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.gradient_descent import GRADIENT_DESCENT
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.progress import Progress
from georecall.verify.claims.controls import result
from georecall.verify.claims.instance import Experiment, Instance, Paths, Run, table_values
from georecall.verify.claims.path_control import of_facts, wrong_answer
from georecall.verify.executors import each
from georecall.verify.learned.all_tables import over_all_tables
from georecall.verify.learned.selection import swapped
from georecall.verify.learned.superposition import fit_fails, probed, superposition_r2
from georecall.verify.learned.transfer import CHANCE, transferred
from georecall.verify.learned.vectors import Parts, one_each
from georecall.verify.margins.margins import margins
from georecall.verify.verdict.intervals import clopper_pearson, falls_short, reaches
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

DEFAULT_TABLE = (512, 2)
TRIALS = 3
_TABLES = 4  # new bijections per run
_ERROR = Fraction(1, 20)  # of all intervals of a check together
_SHARES = ("probe_accuracy", "swap_accuracy", "transfer_accuracy")

_Counts = dict[str, tuple[int, int]]  # successes and trials of each share


@dataclass(frozen=True, kw_only=True)
class _Runs(Instance):
    """C9 at one table: `trials` runs at the seeds seed, seed + 1, ...; the first is what is built."""

    about: ClassVar[str] = "trained models"

    trials: int
    seed: int

    @property
    def shared(self) -> bool:
        """Whether runs may be shared."""
        return True

    def measured(self, claim: Claim, verdict: Verdict, run: Run) -> tuple[Verdict, Paths]:
        """Every run against every threshold; the controls are of the runs.

        Raises:
            MissingExtraError: JAX or optax is not installed (extra `learn`).
        """
        libraries()
        facts, trials = self.facts, self.trials
        predicted = claim.predict({})
        told = run.progress if run.executor is None else None
        calls = ((facts, self.seed + i, trials, i, told) for i in range(trials))
        runs = list(each(run.executor, _Run, calls, "run"))
        verdict = replace(
            verdict,
            predicted=predicted,
            measured=_measured(runs),
            min_margin=min(run.found.minimum[0] for run in runs),
            exact=all(run.found.exact for run in runs),
            method=runs[0].found.method,
        )
        verdict = _judged(verdict, runs, predicted)
        if run.controls:
            at = {"subjects": facts.n_subjects, "relations": facts.n_relations, "trials": trials}
            verdict = replace(verdict, controls=tuple(_controls(runs, facts)), controls_at=at)
        return verdict, {}


class Learned(Experiment):
    """The claim `gradient-descent`; what is built, asked and exported is its first run."""

    claim = GRADIENT_DESCENT
    default_table = DEFAULT_TABLE

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The runs at one table; options `trials` and `seed`."""
        trials, seed = options.get("trials", TRIALS), options.get("seed", 0)
        return _Runs(
            **of_facts(facts),
            values=table_values(facts),
            parameters={"trials": trials},
            trials=trials,
            seed=seed,
            build=lambda: trained(facts, recipe_for(facts, seed)),
            conditions=(HypothesisResult("bijective", facts.bijective),),
        )


class _Run:
    """One training run and what was measured of it."""

    def __init__(
        self, facts: FactTable, seed: int, trials: int, number: int, progress: Progress | None
    ) -> None:
        recipe = recipe_for(facts, seed)

        def report(done: int, total: int) -> None:
            if progress is not None:
                progress(number * total + done, trials * total)

        self.model = trained(facts, recipe, progress=report)
        self.found = margins(self.model, facts)
        parts = Parts.of(self.model, facts.n_subjects)
        self.r2 = superposition_r2(parts, facts, seed=seed)
        self.everywhere = over_all_tables(parts, facts, seed=seed, error=float(_error(trials)))
        self.transferred = transferred(parts, facts, "superposition", tables=_TABLES, seed=seed)
        self.probe_shuffled = float(probed(parts.subjects[::-1], parts, facts, seed=seed).mean())
        self.counts: _Counts = {
            "probe_accuracy": one_each(probed(parts.subjects, parts, facts, seed=seed)),
            "swap_accuracy": one_each(swapped(parts, facts, seed=seed).exact),
            "transfer_accuracy": one_each(self.transferred["transfer"]),
        }


def _measured(runs: list[_Run]) -> dict[str, Any]:
    """The least of the runs, and for every share the interval of that run.

    Over all tables: what transfer is at least on average, and at most at its worst.
    """
    model, error = runs[0].model, float(_error(len(runs)))
    names = ("d_model", "d_mlp", "d_mlp_per_layer", "n_layers")
    measured: dict[str, Any] = {name: getattr(model, name) for name in names} | {
        "recall": min(run.found.n_recalled / run.found.n_facts for run in runs),
        "superposition_r2": min(run.r2["r2"] for run in runs),
    }
    for name in _SHARES:
        successes, trials = min((run.counts[name] for run in runs), key=lambda count: count[0] / count[1])
        measured[name] = successes / trials
        measured[f"{name}_interval"] = list(clopper_pearson(successes, trials, error))
    everywhere = [run.everywhere for run in runs]
    measured["expected_transfer"] = float(min(found.expected[0] for found in everywhere))
    measured["worst_transfer"] = float(min(found.worst[1] for found in everywhere))
    return measured


def _error(n_runs: int) -> Fraction:
    """The error of one interval; that of the expected transfer is one of them."""
    return _ERROR / ((len(_SHARES) + 1) * n_runs)


def _judged(verdict: Verdict, runs: list[_Run], predicted: dict[str, Any]) -> Verdict:
    """Refuted by a run that certainly falls short; holds if all certainly reach every threshold."""
    for run in runs:
        if run.found.n_wrong:
            reason = f"{run.found.n_wrong} of {run.found.n_facts} facts wrong"
            return replace(verdict, status="refuted", reason=reason, witness=run.found.worst)
    for name, measured, short in _shortfalls(runs, predicted):
        if short:
            mismatch = Mismatch(name, predicted[name], measured)
            reason = f"{name} is {measured:.3g}, predicted at least {float(predicted[name]):g}"
            return replace(verdict, status="refuted", reason=reason, witness=mismatch)
    open_ = [name for name, _, short in _shortfalls(runs, predicted) if short is None]
    if any(run.found.n_recalled < run.found.n_facts for run in runs):
        open_.append("recall")
    if not open_:
        return replace(verdict, status="holds")
    reason = f"undecided: {', '.join(sorted(set(open_)))}"
    return replace(verdict, status="inconclusive", reason=reason)


def _shortfalls(runs: list[_Run], predicted: dict[str, Any]) -> Iterator[tuple[str, float, bool | None]]:
    """For each run and quantity: its name, the value, and whether it falls short (None: undecided)."""
    error = _error(len(runs))
    for run in runs:
        r2 = run.r2["r2"]
        yield "superposition_r2", r2, r2 < predicted["superposition_r2"]
        for name, (successes, trials) in run.counts.items():
            level = Fraction(predicted[name])
            short = falls_short(successes, trials, level, error)
            decided = short or reaches(successes, trials, level, error)
            yield name, successes / trials, short if decided else None
        low, high = run.everywhere.expected
        level = Fraction(predicted["expected_transfer"])
        yield "expected_transfer", float(low), high < level if high < level or low >= level else None


def _controls(runs: list[_Run], facts: FactTable) -> list[ControlResult]:
    """What must come out at chance, at its worst over the runs."""
    at = {"shuffled assignment": "shuffled", "random embeddings": "random", "untrained MLP": "untrained"}
    most = {name: max(float(run.transferred[key].mean()) for run in runs) for name, key in at.items()}
    seen = {name: f"transfer {share:.3f}" for name, share in most.items()}
    fine = {name: share <= CHANCE for name, share in most.items()}
    r2, probe = max(run.r2["r2_shuffled"] for run in runs), max(run.probe_shuffled for run in runs)
    failing = sorted(
        {f"; the fit fails, {name} {run.r2[name]:.3g}" for run in runs for name in fit_fails(run.r2)}
    )
    seen["shuffled table"] = f"R^2 {r2:.3f}, probes {probe:.3f}{''.join(failing)}"
    fine["shuffled table"] = max(r2, probe) <= CHANCE and not failing
    name = "memory over frozen embeddings"
    seen[name], fine[name] = _memory(facts)
    own = wrong_answer(
        facts,
        runs[0].found.path,
        lambda table, _: runs[0].found if table is facts else margins(runs[0].model, table),
    )
    return [
        *(result(control, seen[control.name], fine[control.name]) for control in GRADIENT_DESCENT.controls),
        own,
    ]


def _memory(facts: FactTable) -> tuple[str, bool]:
    """C8's sign-code memory at the same facts: everything is recalled, and nothing of C9 is there."""
    model = sign_code_memory(facts)
    parts = Parts.of(model, facts.n_subjects)
    recalled = margins(model, facts).n_recalled
    found = superposition_r2(parts, facts)
    r2 = found["r2"]
    probe = float(probed(parts.subjects, parts, facts).mean())
    transfer = float(transferred(parts, facts, "superposition")["transfer"].mean())
    got = f"{recalled} of {facts.n_facts} recalled, R^2 {r2:.3f}, probes {probe:.3f}, transfer {transfer:.3f}"
    return got, recalled == facts.n_facts and max(r2, probe, transfer) <= CHANCE and not fit_fails(found)


LEARNED = Learned()
