"""What a figure needs and a results file lacks."""

import pandas as pd

from georecall.verify.figures.style import use


class PlotError(ValueError):
    """A figure that cannot be drawn; the message says what is missing and what would help."""


def cells_of(frame: pd.DataFrame, kind: str, **parameters: object) -> pd.DataFrame:
    """The cells of one kind at some parameters, without the columns of other kinds; perhaps none."""
    rows = frame[frame["kind"] == kind]
    for name, value in parameters.items():
        rows = rows[rows[name] == value] if name in rows else rows.iloc[:0]
    return use(rows.dropna(axis="columns", how="all"))


def needed(frame: pd.DataFrame, kind: str, *, sweep: str = "capacity", **parameters: object) -> pd.DataFrame:
    """The same; there must be some, which that sweep makes.

    Raises:
        PlotError: there are none.
    """
    rows = cells_of(frame, kind, **parameters)
    if rows.empty:
        at = ", ".join(f"{name} {value}" for name, value in parameters.items())
        raise PlotError(
            f"the results file has no {kind} cells{f' at {at}' if at else ''}; "
            f"`georecall sweep {sweep} --preset quick` (or paper) makes some"
        )
    return rows
