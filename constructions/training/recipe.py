"""How a model is trained: the controlled setting of C9, and its defaults, here and nowhere else."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args, get_type_hints

from georecall.theory.facts.fact_table import FactTable

Kind = Literal["learned", "sphere", "frozen"]  # of vectors: learned freely, at length sqrt(d), not at all


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of one training run.

    Args:
        dimension: d, of embeddings and attribute vectors.
        width: of the hidden layer.
        attributes: "learned" freely; learned on the "sphere" of radius sqrt(d); "frozen" on it where they
            were drawn.
        subjects: the same of the subjects' embeddings.
        initial: standard deviation of the subjects' first embeddings. What the random start leaves in them
            no attribute explains, so it is small.
        noise: standard deviation of the Gaussian noise on the subjects' embeddings, in units of their
            root mean square.
        weight_decay: AdamW's, of everything that is learned but biases and attributes on a sphere.
        learning_rate: AdamW's largest; 100 steps of warm-up, then a cosine down to a hundredth.
        steps: of AdamW.
        batch: subjects per step, each asked all relations; 0: all of them.
        attention: "uniform", which makes x = e_s + e_r; or one head, "trained" with the rest.
        mlp: "learned"; "frozen" as it was drawn: a control, what embeddings do around a random MLP; or
            "none": x itself is read out.
        residual: whether the MLP's output is added to x or stands alone.
        activation: "relu" or "gelu".
        norm: LayerNorms before attention, MLP and readout, as language models have them (their gains are
            folded into what reads them); with a residual and a trained head only.
        hops: 1; or k, where the facts are the answers to all strings of k relations, and what is added to e_s
            is the sum of the letters' embeddings, hop by hop.
        seed: of all random draws, which the sizes and the facts determine further.

    Raises:
        ValueError: a value out of range; the message names it.
    """

    dimension: int
    width: int
    attributes: Kind = "sphere"
    subjects: Kind = "sphere"
    initial: float = 0.01
    noise: float = 0.6
    weight_decay: float = 0.3
    learning_rate: float = 0.01
    steps: int = 2000
    batch: int = 0
    attention: Literal["uniform", "trained"] = "uniform"
    residual: bool = False
    mlp: Literal["learned", "frozen", "none"] = "learned"
    activation: Literal["relu", "gelu"] = "relu"
    norm: bool = False
    hops: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("dimension", "width", "steps", "hops"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("noise", "weight_decay", "batch", "seed"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name in ("learning_rate", "initial"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name, kind in get_type_hints(Recipe).items():
            if (known := get_args(kind)) and getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.norm and not (self.residual and self.attention == "trained"):
            raise ValueError("norm needs residual and attention 'trained': the sum e_s + e_r has no norms")

    def described(self) -> dict[str, Any]:
        """The settings in JSON's own types."""
        return asdict(self)


def recipe_for(facts: FactTable, seed: int = 0) -> Recipe:
    """Settings under which superposition, selection and transfer appear, found by trial at N = 512, R = 2.

    Twenty dimensions a relation: with fewer, transfer suffers; with more, the regression behind R^2.
    """
    d = 20 * facts.n_relations
    batch = 256 if facts.n_subjects > 256 else 0
    return Recipe(dimension=d, width=4 * d, batch=batch, seed=seed)
