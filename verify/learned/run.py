"""One training run from facts to figures, as `georecall learn` and `georecall transfer` show it."""

from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from georecall.constructions.gradient_descent import trained
from georecall.constructions.training.recipe import Recipe, recipe_for
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, several_bijections
from georecall.theory.tools.progress import Progress
from georecall.verify.learned.measured import structure
from georecall.verify.learned.selection import swapped
from georecall.verify.learned.superposition import probed
from georecall.verify.learned.transfer import discriminates, transferred
from georecall.verify.learned.vectors import Parts, one_each
from georecall.verify.margins.margins import margins
from georecall.verify.verdict.intervals import clopper_pearson

SHOWN = (
    *("recall", "min_margin", "r2", "r2_shuffled", "r2_random", "probe", "probe_shuffled"),
    *("swap", "swap_random", "swap_untrained"),
    *("exclusive", "exclusive_untrained", "gated", "gated_untrained"),
    *("rank", "overlap", "overlap_random", "angle", "cosine"),
    *("transfer", "transfer_untrained", "transfer_shuffled", "transfer_random"),
    *("expected_transfer", "worst_transfer"),
)


@dataclass(frozen=True)
class Preset:
    """Facts and settings that are known to show the effect.

    Args:
        n_attributes: |A|.
        n_relations: R.
        tables: bijections that share the attributes; N = tables |A|.
        changes: what differs from `recipe_for`.
        seeds: how many runs.
    """

    n_attributes: int
    n_relations: int
    tables: int
    changes: dict[str, Any]
    seeds: int = 3

    def facts(self, seed: int) -> FactTable:
        """The table of one run."""
        return several_bijections(self.n_attributes, self.n_relations, self.tables, seed=seed)

    def recipe(self, seed: int) -> Recipe:
        """The settings of one run."""
        return replace(recipe_for(self.facts(seed), seed), **self.changes)


PRESETS = {
    "quick": Preset(512, 2, 1, {}),
    "every-table": Preset(128, 2, 8, {}),
    "four-relations": Preset(
        256, 4, 8, {"dimension": 64, "width": 256, "subjects": "learned", "weight_decay": 0.3}
    ),
}


def train_and_measure(
    facts: FactTable,
    recipe: Recipe,
    *,
    checkpoint: str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Transformer, dict[str, Any]]:
    """Trains a model and measures it.

    Returns:
        The model, and in JSON's own types: `seed`, `n_facts`, `n_recalled`, `recall`, `min_margin`, `exact`,
        `method` (all of them proved, see `verify.margins`), everything of `verify.learned.structure`, and for
        probes, swaps and transfer the 95% Clopper-Pearson interval over subjects asked one relation each.

    Raises:
        MissingExtraError: JAX or optax is not installed.
        CheckpointError: see `constructions.training.loop.train`.
    """
    model = trained(facts, recipe, checkpoint=checkpoint, progress=progress)
    found, parts = margins(model, facts), Parts.of(model, facts.n_subjects)
    seed = recipe.seed
    counted = {
        "probe": probed(parts.subjects, parts, facts, seed=seed),
        "swap": swapped(parts, facts, seed=seed).exact,
        "transfer": transferred(parts, facts, "superposition", seed=seed)["transfer"],
    }
    measured = structure(model, facts, seed=seed)
    return model, {
        "seed": seed,
        "n_facts": found.n_facts,
        "n_recalled": found.n_recalled,
        **measured,
        "recall": found.n_recalled / found.n_facts,
        "min_margin": float(found.minimum[0]),
        "exact": found.exact,
        "method": found.method,
        **{f"{name}_interval": list(clopper_pearson(*one_each(asked))) for name, asked in counted.items()},
        "discriminates": discriminates({"untrained": measured["transfer_untrained"]}),
    }
