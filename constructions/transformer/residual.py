"""Named directions of the residual stream."""

from math import prod

import numpy as np
from numpy.typing import NDArray


class Residual:
    """The coordinates of a residual stream, laid out by name in the order given.

    Args:
        layout: for each name the shape of its block of coordinates; the sum of their sizes is d_model.

    Example:
        >>> space = Residual(block=(2, 3), readout=(3,))
        >>> space.d_model, space["block"][1].tolist(), space.label(7)
        (9, [3, 4, 5], 'readout[1]')
    """

    def __init__(self, **layout: tuple[int, ...]) -> None:
        self._directions: dict[str, NDArray[np.intp]] = {}
        self.d_model = 0
        for name, shape in layout.items():
            size = prod(shape)
            self._directions[name] = np.arange(self.d_model, self.d_model + size).reshape(shape)
            self.d_model += size

    def __getitem__(self, name: str) -> NDArray[np.intp]:
        """The coordinates of that name, in the shape of its layout."""
        return self._directions[name]

    def __contains__(self, name: str) -> bool:
        """Whether the layout has that name."""
        return name in self._directions

    def label(self, coordinate: int) -> str:
        """The name and place of one coordinate."""
        for name, directions in self._directions.items():
            place = np.argwhere(directions == coordinate)
            if len(place):
                return f"{name}[{', '.join(map(str, place[0]))}]"
        raise IndexError(f"coordinate {coordinate} is not among the {self.d_model} of this residual stream")

    def zeros(self, rows: int) -> NDArray[np.float64]:
        """An empty matrix with one row per token (or weight) and one column per coordinate."""
        return np.zeros((rows, self.d_model))
