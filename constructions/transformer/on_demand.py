"""W_E and W_U that are too large to hold: their entries are computed where they are asked for.

Both are matrices of integers with `shape`, `dtype` and entries on demand. At N = 2^26 and R = 16 the subject
embeddings of C1 would take 237 GB; the facts and the code that they are made of take none. Small ones are
held all the same.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code
from georecall.theory.facts.protocol import Table

Tokens = NDArray[np.integer] | slice

_HELD = 1 << 19  # entries up to which a matrix is simply held: 4 MiB of float64


class OnDemand:
    """A matrix with one row of W_E, or one column of W_U, for each token: computed when it is asked for."""

    dtype = np.dtype(np.float64)
    ndim = 2

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape

    def columns(self, tokens: Tokens, rows: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """What belongs to some tokens, coordinates first: shape (coordinates, tokens), whole numbers.

        Args:
            tokens: a range of them (a slice with start and stop), or their numbers.
            rows: which coordinates of the residual stream; default all.
        """
        raise NotImplementedError

    def alike(self) -> NDArray[np.intp]:
        """For each row a number; rows of the same number are one, whatever is asked of them."""
        return np.arange(self.shape[0])

    def varying(self) -> tuple[NDArray[np.bool_], int]:
        """Which coordinates may differ from token to token, and how many values their entries may take."""
        raise NotImplementedError

    def digits(self) -> NDArray[np.int64] | None:
        """Rows of, low, mask, scale, offset; None where entries are not of this form.

        Coordinate i of a subject s is scale_i ((a >> low_i) & mask_i) + offset_i, a being the answer of
        relation of_i in the weight's own `facts`; of attribute a's column of W_U it is the same of a itself.
        """
        return None


class BlockEmbedding(OnDemand):
    """C1's W_E: v(pi_1(s)), ..., v(pi_R(s)) on the blocks of subject s; then the relations' embeddings.

    The block has shape (R, m), the relations' own embeddings (R, d_model).
    """

    def __init__(
        self, facts: Table, code: Code, block: NDArray[np.intp], relations: NDArray[np.float64]
    ) -> None:
        super().__init__((facts.n_subjects + len(relations), relations.shape[1]))
        self.facts, self.code, self.relations = facts, code, relations
        self.blocks = [as_slice(coordinates) for coordinates in block]
        self.bare = as_slice(np.setdiff1d(np.arange(self.shape[1]), block))

    def __getitem__(self, tokens: Any) -> NDArray[np.float64]:
        """Rows by token numbers of any shape: shape (..., d_model)."""
        numbers = np.arange(self.shape[0])[tokens] if isinstance(tokens, slice) else np.asarray(tokens)
        subjects, flat = self.facts.n_subjects, numbers.ravel()
        found = np.zeros((len(flat), self.shape[1]))
        there = flat < subjects
        found[there] = self.columns(flat[there]).T
        found[~there] = self.relations[flat[~there] - subjects]
        return found.reshape(*numbers.shape, self.shape[1])

    def columns(self, tokens: Tokens, rows: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Embeddings of subjects, coordinates first."""
        if isinstance(tokens, slice):
            answers = self.facts.block(tokens.start, tokens.stop)
        else:
            answers = self.facts.answers_of(tokens)
        whole = np.empty((self.shape[1], answers.shape[1]), dtype=self.code.kind)
        whole[self.bare] = 0
        for block, answered in zip(self.blocks, answers, strict=True):
            if isinstance(block, slice):
                self.code.columns(answered, out=whole[block])
            else:
                whole[block] = self.code.columns(answered)
        return whole if rows is None or len(rows) == len(whole) else whole[as_slice(rows)]

    def digits(self) -> NDArray[np.int64] | None:
        """Of each block's answer those of the code."""
        if (digits := self.code.digits) is None:
            return None
        found = np.zeros((5, self.shape[1]), dtype=np.int64)
        for r, block in enumerate(self.blocks):
            found[0, block], found[1:, block] = r, digits
        return found

    def varying(self) -> tuple[NDArray[np.bool_], int]:
        """The blocks of the subjects, and the values of the code."""
        there = np.ones(self.shape[1], dtype=bool)
        there[self.bare] = False
        return there, self.code.n_levels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        subjects = self.columns(slice(0, self.facts.n_subjects)).T
        return np.concatenate([subjects, self.relations]).astype(dtype or np.float64)


class BlockUnembedding(OnDemand):
    """C1's W_U: column a has the word of attribute a on some blocks of rows, and zeros elsewhere.

    The block has the rows of each copy of the words, shape (copies, m).
    """

    def __init__(self, code: Code, block: NDArray[np.intp], d_model: int) -> None:
        super().__init__((d_model, code.n_words))
        self.code = code
        self.coordinate = np.full(d_model, -1)  # of the word that stands in each row; -1: none
        self.coordinate[block] = np.arange(block.shape[1])

    def columns(self, tokens: Tokens, rows: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Words of attributes, on their rows."""
        attributes = np.arange(tokens.start, tokens.stop) if isinstance(tokens, slice) else tokens
        words = self.code.columns(attributes)
        which = self.coordinate if rows is None else self.coordinate[rows]
        if np.array_equal(which, np.arange(len(words))):
            return words
        found = np.zeros((len(which), words.shape[1]), dtype=words.dtype)
        there = np.flatnonzero(which >= 0)
        found[as_slice(there)] = words[which[there]]
        return found

    def alike(self) -> NDArray[np.intp]:
        """The coordinate of the word that stands in each row."""
        return self.coordinate

    def digits(self) -> NDArray[np.int64] | None:
        """Those of the code, on its rows."""
        if (digits := self.code.digits) is None:
            return None
        found, there = np.zeros((5, self.shape[0]), dtype=np.int64), self.coordinate >= 0
        found[1:, there] = digits[:, self.coordinate[there]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.columns(slice(0, self.shape[1])).astype(dtype or np.float64)


def held(weight: OnDemand) -> Any:
    """The weight as an array, if it is not too large for one."""
    return np.asarray(weight) if weight.shape[0] * weight.shape[1] <= _HELD else weight


def as_slice(places: NDArray[np.integer]) -> Any:
    """Places as a slice, where they are one."""
    if len(places) and (np.diff(places) == 1).all():
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
