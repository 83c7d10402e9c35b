"""Figures: one command, one results file, the same bytes, their parameters inside."""

import json
import re
import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from cases import capacity_cells
from matplotlib.image import imread

from georecall.bounds.counting import bits_per_subject
from georecall.constructions.single_hop import narrow_superposition
from georecall.theory.claims import CLAIMS
from georecall.theory.claims.formulas import evaluated
from georecall.theory.claims.symbols import R, m
from georecall.verify.cli import run as georecall
from georecall.verify.figures import FIGURES, FORMATS, PlotError, plot, theory_lines
from georecall.verify.figures.style import COLOURS
from georecall.verify.sweep import Cell, Store, StoreError, hop_cells, sweep
from georecall.verify.sweep.learned_dimension import searches
from georecall.verify.sweep.learned_grids import ablation, proofs, runs
from georecall.verify.sweep.presets import language_model


def trained() -> list[tuple[Cell, dict[str, Any]]]:
    """Cells about training as if they had been measured: figures do not ask who did."""
    cells: list[tuple[Cell, dict[str, Any]]] = []
    for cell in runs((8, 16), (4,), (4, 8), seeds=1):
        cells.append((cell, {"transfer": 0.25, "r2": -0.5}))
    for cell in ablation(seeds=1):
        cells.append((cell, {"recall": 1.0, "transfer": 0.25, "r2": -0.5, "swap": 0.1}))
    proved = {
        "about": ["tuples", "facts"] * 3,
        "method": ["brute force"] * 2 + ["intervals"] * 2 + ["norm", "residual norm"],
        "groups": [8, 32, 2, 2, 1, 1],
        "certified": [100, 60, 90, 50, 0, 0],
        "asked": [128, 64] * 3,
        "operations": [9000, 800, 700, 600, 500, 550],
        "proof_seconds": [0.2, 0.1, 0.05, 0.06, 0.01, 0.02],
    }
    for cell in proofs(seeds=1):
        cells.append((cell, {name: json.dumps(values) for name, values in proved.items()}))
    read = {"continent": 0.8, "capital": 0.6, "r2": 0.05}
    controls = {"continent_shuffled": 0.2, "capital_shuffled": 0.0, "r2_shuffled": -0.01, "r2_random": -0.02}
    for cell in language_model():
        cells.append((cell, read | controls))
    for cell in searches((8, 16), 4, seeds=1):
        cells.append((cell, {"needed": dict(cell.parameters)["n_attributes"], "failed": 3, "tried": 4}))
    return cells


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plots") / "results.sqlite"
    with Store(path) as store:
        sweep([*capacity_cells(8, 16, 128), *hop_cells(8, 4, 2)], store)
        for cell, result in trained():
            store.enter(cell, result, 0.0)
    return path


@cache
def written(kind: str, ending: str, results: Path) -> bytes:
    """The file of a figure, drawn once in a process."""
    with NamedTemporaryFile(suffix=f".{ending}") as file:
        plot(kind, results, file.name)
        return Path(file.name).read_bytes()


@pytest.mark.parametrize(
    ("kind", "ending"),
    [(kind, "svg") for kind in FIGURES]
    + [(kind, ending) for kind in ("bits", "plane") for ending in FORMATS[1:]],
)  # what is drawn differs from figure to figure, how it is written from format to format
def test_the_same_results_give_the_same_bytes(results: Path, kind: str, ending: str, tmp_path: Path) -> None:
    again = tmp_path / f"again.{ending}"
    plot(kind, results, again)
    assert again.read_bytes() == written(kind, ending, results)


@pytest.mark.parametrize("kind", FIGURES)
def test_no_file_is_large_and_no_picture_blank(results: Path, kind: str) -> None:
    assert all(len(written(kind, ending, results)) < 200_000 for ending in FORMATS)
    assert imread(BytesIO(written(kind, "png", results))).std() > 0.01


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_carries_its_parameters_and_seeds_and_no_date(results: Path, kind: str) -> None:
    text = written(kind, "svg", results).decode()
    described = re.search(r"<dc:description>(.*?)</dc:description>", text, re.S)
    assert described is not None
    about = json.loads(described[1].replace("&quot;", '"'))
    assert (about["figure"], about["seeds"]) == (kind, [0])
    assert about["parameters"]["n_relations"] == [1, 2, 4, 16]
    assert "<dc:date>" not in text
    assert "<text" in text  # text stays text
    assert b"/CreationDate" not in written(kind, "pdf", results)
    assert b"seeds" in written(kind, "png", results)


def overlaps(figure) -> list[tuple[str, str]]:
    """Pairs of texts of a figure that lie over each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    unseen = {
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    shown = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible() and t not in unseen]
    inside = [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in shown]
    return [
        (a, b)
        for i, (a, p) in enumerate(inside)
        for b, q in inside[i + 1 :]
        if min(p.x1, q.x1) - max(p.x0, q.x0) > 1 and min(p.y1, q.y1) - max(p.y0, q.y0) > 1
    ]


@pytest.mark.parametrize("kind", FIGURES)
def test_no_text_lies_over_another_and_axes_are_named(results: Path, kind: str) -> None:
    from georecall.verify.figures.style import style

    with Store(results) as store, style():
        figure = FIGURES[kind].draw(store.frame())
        assert overlaps(figure) == []
    named = [ax for ax in figure.axes if ax.get_xlabel()]
    assert named
    assert all(ax.get_ylabel() or ax.get_shared_y_axes().get_siblings(ax) != [ax] for ax in named)


def test_texts_that_overlap_are_seen() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    assert overlaps(figure) == [("one", "two")]


@pytest.mark.parametrize("kind", FIGURES)
def test_what_the_file_lacks_is_said(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with Store(path) as store:
        sweep([Cell.of("recall", construction="single-hop", n_subjects=3, n_relations=3, seed=0)], store)
    if kind in ("bits", "capacity"):
        plot(kind, path, tmp_path / "one.svg")  # one series is a figure
        return
    with pytest.raises(PlotError, match="the results file has no"):
        plot(kind, path, tmp_path / "figure.svg")
    assert not (tmp_path / "figure.svg").exists()


def test_bad_input_is_said(results: Path, tmp_path: Path) -> None:
    with pytest.raises(PlotError, match="no figure is called"):
        plot("nonesuch", results, tmp_path / "a.svg")
    with pytest.raises(ValueError, match="figures are svg, pdf or png"):
        plot("depth", results, tmp_path / "a.gif")
    with pytest.raises(StoreError, match="no results file"):
        plot("depth", tmp_path / "missing.sqlite", tmp_path / "a.svg")
    Store(tmp_path / "empty.sqlite").close()
    with pytest.raises(PlotError, match="no cells yet"):
        plot("depth", tmp_path / "empty.sqlite", tmp_path / "a.svg")


@pytest.mark.parametrize("N", [2, 3, 100, 1024])
def test_the_lines_are_the_claims(N: int) -> None:
    at = SimpleNamespace(code=max(1, (N - 1).bit_length()))
    symbols = {m: at.code, R: 4}
    separate, in_place = (CLAIMS[name].predicted["d_model"] for name in ("single-hop", "single-hop-in-place"))
    assert theory_lines.separate_dimension(N, 4) == evaluated(separate, symbols)
    assert theory_lines.in_place_dimension(N, 4) == evaluated(in_place, symbols)
    pytest.importorskip("flint")
    floor = bits_per_subject(N, 4, bits=8)
    assert theory_lines.floor_dimension(N, 4, 8) == pytest.approx(float(floor.lower), rel=1e-9)


def contrast(colour: str) -> float:
    """Relative luminance contrast with white."""
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_colours_stand_out_from_the_paper() -> None:
    assert all(contrast(colour) > 2 for colour in COLOURS.values())


def mine(facts: Any) -> Any:
    """A construction of a user's own, by `module:function` to a sweep."""
    return narrow_superposition(facts)


@pytest.fixture(scope="module")
def of_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """R = 3: two built-in constructions and one of the user's own."""
    path = tmp_path_factory.mktemp("plots") / "three.sqlite"
    names = ("single-hop", "single-hop-in-place", f"{__name__}:mine")
    sys.modules[__name__] = sys.modules.get(__name__) or SimpleNamespace(mine=mine)  # type: ignore[assignment]
    with Store(path) as store:
        cells = [
            Cell.of("recall", construction=name, n_subjects=N, n_relations=3, seed=0)
            for name in names
            for N in (16, 64)
        ]
        sweep(cells, store)
    return path


def test_capacity_is_drawn_of_any_number_of_relations_and_of_own_constructions(of_three: Path) -> None:
    (ax,) = plot("capacity", of_three).axes
    labels = ax.get_legend_handles_labels()[1]
    assert f"{__name__}:mine" in labels
    (points,) = (line for line in ax.lines if line.get_label() == f"{__name__}:mine")
    assert list(zip(points.get_xdata(), points.get_ydata(), strict=True)) == [(12, 48), (18, 192)]
    assert "$R = 3$" in ax.get_title()


def test_the_dimension_axis_starts_where_constructions_do(of_three: Path) -> None:
    (ax,) = plot("capacity", of_three).axes
    assert 1 < ax.get_xlim()[0] < 3 * 2


def test_several_files_are_drawn_together_and_what_was_drawn_is_written(
    results: Path, of_three: Path, tmp_path: Path
) -> None:
    data = tmp_path / "drawn.csv"
    plot("capacity", [results, of_three], relations=3, data=data)
    drawn = pd.read_csv(data)
    own = drawn[drawn["n_relations"] == 3]
    assert own["n_subjects"].unique().tolist() == [16, 64]
    assert {"d_model", "recalled", "construction"} <= set(drawn.columns)
    assert not (drawn["n_relations"] == 16).any()


def cut(figure) -> list[str]:
    """Texts that reach over the edge of a figure."""
    from matplotlib.text import Text

    edge = figure.bbox.padded(1)
    boxes = {t.get_text(): t.get_window_extent() for t in figure.findobj(Text) if t.get_text().strip()}
    named = {ax.title.get_text() for ax in figure.axes}
    named |= {label.get_text() for ax in figure.axes for label in (ax.xaxis.label, ax.yaxis.label)}
    named |= {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    return [t for t, b in boxes.items() if t in named and edge.count_contains([b.p0, b.p1]) != 2]


@pytest.mark.parametrize("kind", sorted(FIGURES))
def test_at_column_width_nothing_named_is_cut(results: Path, kind: str) -> None:
    figure = plot(kind, results, width="column")
    figure.draw_without_rendering()
    assert cut(figure) == []


def test_the_help_of_plot_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert georecall(["plot", "--help"]) == 0
    named = re.search(r"Figures: ([^.]*)\.", capsys.readouterr().out)
    assert named is not None
    assert set(re.split(r",\s+", named[1])) == set(FIGURES)


@pytest.mark.parametrize("size", [-1, 0, 0.5, 101, float("nan")])
def test_a_font_of_no_size_is_refused(results: Path, size: float) -> None:
    with pytest.raises(PlotError, match="a font is of 1 to 100 points, not"):
        plot("capacity", results, font_size=size)


@pytest.mark.parametrize("kind", ["capacity", "bits"])  # of one panel, and of two
@pytest.mark.parametrize(("width", "inches"), [("column", 3.3), ("page", 6.9), (4.5, 4.5)])
def test_a_figure_is_as_wide_as_asked_and_without_a_title_where_none_is_wanted(
    results: Path, kind: str, width: str | float, inches: float
) -> None:
    figure = plot(kind, results, width=width, title=False, font_size=7)
    assert figure.get_figwidth() == pytest.approx(inches)
    assert all(ax.get_title() == "" for ax in figure.axes)


def test_a_title_that_is_cut_is_seen(results: Path) -> None:
    figure = plot("depth", results, width="column")
    figure.axes[0].set_title("Depth buys dimension: a title of one line that is longer than a column is wide")
    figure.draw_without_rendering()
    assert len(cut(figure)) == 1


def test_a_figure_goes_into_axes_of_ones_own_beside_curves_of_ones_own(of_three: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    drawn = plot("capacity", of_three, ax=right, curves={"my bound": ([8, 16], [40, 300])})
    assert drawn is figure
    assert not left.lines
    assert "my bound" in [text.get_text() for text in right.get_legend().get_texts()]
    plt.close(figure)


def test_what_a_figure_lacks_is_said_in_one_line(results: Path, tmp_path: Path) -> None:
    with pytest.raises(PlotError, match="no cells of 5 relations; `georecall sweep capacity --relations 5"):
        plot("capacity", results, relations=5)
    with pytest.raises(PlotError, match="plane has no option relations"):
        plot("plane", results, relations=5)
    with pytest.raises(ValueError, match="a width is column, page or 1 to 50 inches, not 'wide'"):
        plot("capacity", results, width="wide")
    with pytest.raises(ValueError, match="2 panels does not go into one `ax`"):
        plot("bits", results, ax=plt.figure().add_subplot())
    plt.close("all")


def test_the_format_may_differ_from_the_ending(results: Path, tmp_path: Path) -> None:
    plot("capacity", results, tmp_path / "figure.dat", format="pdf")
    assert (tmp_path / "figure.dat").read_bytes()[:4] == b"%PDF"


def test_a_notebook_shows_a_figure_without_pyplot(of_three: Path) -> None:
    assert plot("capacity", of_three)._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"  # type: ignore[attr-defined]
