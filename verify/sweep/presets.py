"""The cells behind the figures: a quick set that takes less than a minute, and the one in the README."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import product
from typing import Any

from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.codes.code import code_length
from georecall.theory.numbers.dense import closed_form_length, exact_length
from georecall.theory.tools.names import meant
from georecall.verify.claims.readouts import READOUTS
from georecall.verify.learned.language_model import N_LAYERS
from georecall.verify.sweep.cell import Cell, Value, grid
from georecall.verify.sweep.learned_dimension import searches
from georecall.verify.sweep.learned_grids import ablation, proofs, runs, shared, variants, without_mlp, worst
from georecall.verify.sweep.learned_hops import chains


def quick(seed: int = 0) -> list[Cell]:
    """Small tables, few draws: enough to see every figure."""
    sizes = (16, 32, 64, 128)
    return [
        *_thresholds("single-hop-dense", sizes, (4,), trials=40, seed=seed, precision=0.05),
        *_thresholds("linear-memory", sizes, (1,), trials=40, seed=seed, precision=0.05),
        *_thresholds("best-linear-memory", (16, 32, 64), (1,), trials=16, seed=seed, precision=0.1),
        *_phase((16, 32, 64, 128), range(40, 161, 20), trials=20, seed=seed),
        *_recalls((16, 64, 256), 4, seed=seed),
        *_comparison((4, 8, 12), (64, 128, 192), trials=40, seed=seed),
        *_margins((64,), 4, seed=seed),
    ]


def paper(seed: int = 0) -> list[Cell]:
    """The figures of the README."""
    sizes = (64, 128, 256, 512, 1024)
    finely: dict[str, Value] = {"trials": 200, "precision": 0.02, "seed": seed}
    coarsely: dict[str, Value] = {"trials": 32, "precision": 0.05, "seed": seed}
    return [
        *_thresholds("single-hop-dense", (16, 64, 256, 1024), (2, 4, 8), **finely),
        *_thresholds("single-hop-dense", (4096,), (2, 4, 8), **coarsely),
        *_thresholds("single-hop-dense-zero-forced", (16, 64, 256, 1024), (2, 4, 8), **coarsely),
        *_thresholds("single-hop-dense-optimised", (16, 64, 256, 1024), (2, 4, 8), **coarsely),
        *_thresholds("single-hop-dense-gaussian", (64,), (4,), **coarsely),
        *_thresholds("single-hop-dense-orthogonal", (64,), (4,), **coarsely),
        *_thresholds("linear-memory", sizes, (1,), **finely),
        *_thresholds("linear-memory", sizes, (1,), **finely, share="99/100"),
        *_thresholds("linear-memory", (64, 256), (4,), **finely),
        *_thresholds("best-linear-memory", (16, 32, 64, 128, 256), (1,), trials=16, seed=seed),
        *_thresholds("random-feature-memory", (64, 128, 256), (1,), **coarsely),
        *_phase((16, 32, 64, 128, 256, 512, 1024), range(20, 261, 12), trials=40, seed=seed),
        *_recalls((16, 64, 256, 1024, 4096), 4, seed=seed),
        *_comparison(range(4, 18), (90, 180, 270, 400, 560, 740, 1060), trials=100, seed=seed),
        *_margins((256, 1024), 4, seed=seed),
    ]


def capacity_cells(
    constructions: Iterable[str],
    subjects: Iterable[int],
    relations: Iterable[int] = (4,),
    *,
    dimensions: Iterable[int] = (),
    level: float = 0.5,
    share: str = "1",
    trials: int = 200,
    seed: int = 0,
) -> list[Cell]:
    """The cells of capacity against dimension, at one's own parameters.

    Args:
        constructions: random ones (`verify.claims.readouts.READOUTS`), for each of which a threshold is
            searched for; all others of the public list, or module:function, of which one instance is
            verified.
        subjects: N.
        relations: R.
        dimensions: where to measure the success of random constructions; default: search for the threshold.
        level: the probability of success searched for.
        share: of the facts that a success recalls, a number such as 0.99 or 99/100.
        trials: draws at one dimension, at most.
        seed: of the draws.

    Raises:
        ValueError: an unknown construction, or a number that means nothing.
    """
    known = [*READOUTS, *(name for name in CONSTRUCTIONS if name not in READOUTS)]
    dimensions = list(dimensions)
    try:
        recalled = Fraction(share)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"--share must be a number such as 0.99 or 99/100, got {share}") from None
    if not 0 < recalled <= 1 or not 0 < level < 1:
        raise ValueError("--share must lie in (0, 1] and --level in (0, 1)")
    cells: list[Cell] = []
    for construction, R, N in product(constructions, list(relations), list(subjects)):
        at: dict[str, Any] = {"construction": construction, "n_subjects": N, "n_relations": R, "seed": seed}
        if construction in READOUTS:
            at |= {"trials": trials, "share": str(recalled)}
            cells += [Cell.of("success", **at, dimension=d) for d in dimensions] or [
                Cell.of("threshold", **at, level=level)
            ]
        elif construction not in known and ":" not in construction:
            like = meant(construction, known)
            raise ValueError(
                f"capacity is measured of {', '.join(known)}, or module:function; "
                f"not of {construction!r}{like}"
            )
        elif dimensions:
            raise ValueError(f"{construction} has the dimension its facts ask for: it takes no --dimension")
        else:
            cells.append(Cell.of("recall", **at))
    return cells


def hop_cells(
    n_subjects: int, n_relations: int, hops: int, *, most: int = 20000, seed: int = 0
) -> list[Cell]:
    """All stages of 1 to `hops` hops, as far as the composed blocks take at most `most` dimensions."""
    m = code_length(n_subjects)
    return [
        Cell.of("hops", n_subjects=n_subjects, n_relations=n_relations, hops=k, stages=c, seed=seed)
        for k in range(1, hops + 1)
        for c in range(1, k + 1)
        if n_relations ** -(-k // c) * m <= most
    ]


def learned_quick(seed: int = 0) -> list[Cell]:
    """A corner of every figure about training, one run each: a minute of CPU."""
    few = runs((32, 128), (2,), (8, 20), seeds=1, seed=seed, steps=500)
    return [*few, *searches((32, 64), 2, seeds=1, seed=seed)]


def learned_paper(seed: int = 0) -> list[Cell]:
    """The README's figures about training: the map, its variants, shared attributes, dimensions."""
    return [
        *runs((64, 128, 256, 512), (2,), (6, 10, 16, 24), seed=seed),
        *runs((128, 256, 512), (4,), (6, 10, 16, 24), seed=seed),
        *variants(512, 2, 20, seed=seed),
        *shared((1, 2, 4, 8), seed=seed),
        *searches((256, 512, 1024), 2, seed=seed),
        *chains((2, 3), seed=seed),
    ]


def language_model(seed: int = 0) -> list[Cell]:
    """The residuals of a language model, layer by layer (extra `lm`): 40 seconds of CPU."""
    return grid("language-model", layer=range(N_LAYERS + 1), seed=seed)


LEARNED_PRESETS: dict[str, Callable[..., list[Cell]]] = {
    "quick": learned_quick,
    "paper": learned_paper,
    "ablation": ablation,
    "without-mlp": without_mlp,
    "worst": worst,
    "proofs": proofs,
    "language-model": language_model,
}

HOP_PRESETS: dict[str, Callable[..., list[Cell]]] = {
    "quick": lambda seed=0: hop_cells(64, 3, 4, seed=seed),
    "paper": lambda seed=0: hop_cells(1 << 12, 4, 6, seed=seed),
}

PRESETS: dict[str, Callable[..., list[Cell]]] = {"quick": quick, "paper": paper}


def _thresholds(
    construction: str, sizes: tuple[int, ...], relations: tuple[int, ...], **options: Value
) -> list[Cell]:
    at: dict[str, Any] = {"construction": construction, "n_subjects": sizes, "n_relations": relations}
    return grid("threshold", **at, level=0.5, **options)


def _phase(sizes: tuple[int, ...], lengths: range, **options: int) -> list[Cell]:
    at: dict[str, Any] = {"construction": "single-hop-dense", "n_subjects": sizes, "n_relations": 4}
    return grid("success", **at, dimension=lengths, **options)


def _recalls(sizes: tuple[int, ...], R: int, seed: int) -> list[Cell]:
    """One verified instance of each construction at each size, at its default dimension."""
    exact = ("single-hop", "single-hop-in-place", "single-hop-narrow", "sign-code-memory")
    small = tuple(N for N in sizes if N <= 1024)
    at: dict[str, Any] = {"n_relations": R, "seed": seed}
    memory = {"construction": "linear-memory", "n_subjects": tuple(R * N for N in small), "n_relations": 1}
    return [
        *grid("recall", construction=exact, n_subjects=sizes, **at),
        *grid("recall", construction="single-hop-quantized", n_subjects=sizes, bits=(2, 4, 8), **at),
        *grid("recall", construction="single-hop-dense", n_subjects=small, **at),
        *grid("recall", **at | memory),
    ]


def _comparison(lengths: Iterable[int], facts: tuple[int, ...], trials: int, seed: int) -> list[Cell]:
    """R = 16: in place, N = 2^m subjects in 16 m dimensions; and the linear memory's thresholds."""
    sizes = tuple(2**m for m in lengths)
    return [
        *grid("recall", construction="single-hop-in-place", n_subjects=sizes, n_relations=16, seed=seed),
        *_thresholds("linear-memory", facts, (1,), trials=trials, seed=seed, precision=0.05),
    ]


def _margins(sizes: tuple[int, ...], R: int, seed: int) -> list[Cell]:
    at: dict[str, Any] = {"construction": "single-hop-dense", "n_relations": R, "seed": seed}
    return [
        Cell.of("margins", **at, n_subjects=N, dimension=m)
        for N in sizes
        for m in (exact_length(N, N, R, 0.5), closed_form_length(N, N, R, 0.5) // 2)
    ]
