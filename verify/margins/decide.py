"""Recall of a table, certified: counted in exact integers, filtered in floats, or margin by margin."""

from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import Any

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.errors import CheckpointError, in_words
from georecall.theory.tools.progress import Progress
from georecall.verify.margins.counting.checkpoint import Keeper, begun, identity
from georecall.verify.margins.counting.counted import Counted, count
from georecall.verify.margins.counting.elsewhere import Elsewhere
from georecall.verify.margins.filtered import filtered
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import check_fits, margins
from georecall.verify.usage import UsageError, require_memory_for_weights

Found = Margins | Counted  # of all queries: margins one by one, or how many are right and which is worst

_MANY = 1 << 24  # logits from which a filter pays; of fewer, margins are made exact where that can be done


def decide_recall(
    model: Transformer,
    facts: Table,
    one_by_one: Callable[[], Margins],
    *,
    work: dict[str, Any] | None = None,
    checkpoint: str | PathLike[str] | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Progress | None = None,
) -> Found:
    """Judges every fact, asked as `[s, r]`; where counting is not enough, by the margins of all.

    A checkpoint keeps what has been counted of the same work, and counting goes on from there; `elsewhere`
    says who counts instead of this process.

    Raises:
        ValueError: the model does not fit the facts.
        UsageError: the checkpoint cannot be used, weights that must be held do not fit the memory, or those
            that are not counted cannot be judged elsewhere.
        ChildProcessError: who counts elsewhere is lost.
    """
    check_fits(model, facts)
    found: Found | None
    counted = partial(count, model, facts, progress=progress, elsewhere=elsewhere)
    if checkpoint is None:
        found = counted()
    else:
        named = identity(model, work or {})
        try:
            started = begun(checkpoint, named)
            with Keeper(checkpoint, named) as keeper:
                found = counted(begun=started, keep=keeper.keep, gone=keeper.gone)
        except ChildProcessError as lost:
            raise ChildProcessError(f"{lost}; what was counted is kept: run the same command again") from lost
        except KeyboardInterrupt as interrupt:
            said = f"{interrupt}; " if str(interrupt) else ""
            raise KeyboardInterrupt(f"{said}the same command goes on from there") from None
        except (CheckpointError, OSError) as error:
            why = "no checkpoint can be kept: " if isinstance(error, OSError) else ""
            raise UsageError(why + in_words(error)) from error
    if found is not None:
        return found
    if elsewhere is not None:
        raise UsageError("these weights are not judged in whole numbers, piece by piece: others cannot help")
    require_memory_for_weights(facts, model.d_model)
    if isinstance(facts, FactTable) and facts.n_facts * facts.n_attributes >= _MANY:
        found = filtered(model, facts, progress=progress)
        if found is not None:
            return found
    return one_by_one()


def decide_recall_by(path: str, model: Transformer, facts: FactTable) -> Found | None:
    """The same by one of the three ways alone (see `Margins.path`); None where it does not apply."""
    if path == "counting":
        return count(model, facts, workers=1)
    return filtered(model, facts) if path == "filtered" else margins(model, facts)
