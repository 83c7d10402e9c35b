"""Fuzzed input of every kind: never a traceback, the right exit status, one line, and no partial output.

CI runs 60 inputs of each of 13 kinds. `pytest tests/verify/cli/test_fuzz.py --hypothesis-profile fuzz` runs
1,200 of each, the same ones every time, and `--hypothesis-profile deep` 2,000 other ones every time.
"""

import contextlib
import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from constructions.files import load_answers, load_queries, load_safetensors
from theory import FactsError, FactTable
from verify.cli import COMMANDS, run
from verify.strategies import fact_tables
from verify.sweep import Store

ANYTHING = st.text(st.characters(exclude_characters="\0"), max_size=12)
WIDE = "subject,mother,wife\nAnn,Carla,none\nBen,Carla,Dora\nDora,Eva,none\n"
LONG = "subject,relation,attribute\nAnn,boss,Ben\nBen,boss,Ann\nAnn,friend,Ann\nBen,friend,Ann\n"


def asked(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(arguments)
    return status, out.getvalue(), err.getvalue()


def answers_properly(*arguments: str, statuses: tuple[int, ...] = (0, 1, 2, 3)) -> int:
    """A command line's exit status, which must be one of some; bad input gets one line."""
    status, out, err = asked(*arguments)
    assert status in statuses, (arguments, err)
    assert "Traceback" not in out + err
    if status == 2:
        assert out == ""
        assert err.startswith("georecall: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
    return status


def names_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def exported(folder):
    """A model of ours and its answers, as bytes: the same ones every time."""
    out = folder / "exported.safetensors"
    assert asked("export", "single-hop", "--subjects", "3", "--relations", "2", "--out", str(out))[0] == 0
    data = out.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True).encode()
    data = struct.pack("<Q", len(header)) + header + data[8 + length :]
    return data, out.with_suffix(".answers.npy").read_bytes()


@st.composite
def damaged(draw, data: bytes) -> bytes:
    """Bytes with some changed, cut, doubled or put in."""
    broken = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(len(broken) - 1, 0)))
        match draw(st.sampled_from(["change", "cut", "insert", "remove", "double"])):
            case "change":
                broken[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del broken[at:]
            case "insert":
                broken[at:at] = draw(st.binary(max_size=5))
            case "remove":
                del broken[at : at + draw(st.integers(1, 9))]
            case "double":
                broken += broken[at : at + 20]
    return bytes(broken)


CELLS = st.one_of(
    st.sampled_from(
        ["", "subject", "relation", "attribute", "Ann", "Ben", "unknown", '"', '"a,b"', " ", "x\ny"]
    ),
    st.text(max_size=5),
)
GRIDS = st.builds(
    lambda rows, separator, end: end.join(separator.join(row) for row in rows).encode(
        "utf-8", "surrogatepass"
    ),
    st.lists(st.lists(CELLS, max_size=4), max_size=6),
    st.sampled_from([",", ",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
HEADED = st.builds(
    lambda header, body: header.encode() + body, st.sampled_from([WIDE[:20], LONG[:27]]), GRIDS
)
JUNK = st.one_of(st.binary(max_size=80), st.sampled_from([b"", b"\xef\xbb\xbf", pickle.dumps({"W_E": 1})]))
FILES = st.one_of(GRIDS, HEADED, damaged(WIDE.encode()), damaged(LONG.encode()), JUNK)
MISSING = st.sampled_from([None, "unknown"])


@given(data=FILES, missing=MISSING)
@example(data=b"subject,a\n\0,b\n", missing=None)
@example(data=b"subject,a\nx," + b"y" * 200000 + b"\n", missing=None)
def test_a_csv_file_is_read_or_refused(folder, data, missing):
    path = folder / "facts.csv"
    path.write_bytes(data)
    refusal, table = None, None
    try:
        table = FactTable.from_csv(path, missing=missing)
    except FactsError as error:
        refusal = str(error)
    if table is None:
        assert str(path) in refusal
        assert len(refusal) < 2 * len(str(path)) + len(data) + 200
    else:
        assert table.n_facts >= 1
        assert table.answers.max() < table.n_attributes


@given(data=FILES, missing=MISSING, hops=st.booleans())
def test_a_csv_file_on_the_command_line(folder, data, missing, hops):
    path = folder / "facts.csv"
    path.write_bytes(data)
    options = [] if missing is None else ["--missing", missing]
    before = names_in(folder)
    if hops:
        answers_properly("ask", "mother of Ann", "--facts", str(path), *options, statuses=(0, 2))
    else:
        answers_properly("check", "single-hop-in-place", "--facts", str(path), *options, statuses=(0, 2, 3))
    assert names_in(folder) == before


@given(facts=fact_tables(), form=st.booleans())
def test_what_is_written_as_csv_is_read_back(folder, facts, form):
    """The other side of refusing: no good file is refused."""
    path = folder / "good.csv"
    names = [facts.subject_name(s) for s in range(facts.n_subjects)]
    cell = lambda r, s: facts.attribute_name(int(facts.answers[r, s]))  # noqa: E731
    relations = range(facts.n_relations)
    if form:
        rows = [["subject", *map(facts.relation_name, relations)]]
        rows += [[name, *(cell(r, s) for r in relations)] for s, name in enumerate(names)]
    else:
        rows = [["subject", "relation", "attribute"]]
        rows += [[n, facts.relation_name(r), cell(r, s)] for r in relations for s, n in enumerate(names)]
    path.write_text("\n".join(map(",".join, rows)))
    read = FactTable.from_csv(path)
    for r in relations:
        for s in range(facts.n_subjects):
            assert read.attribute_name(int(read.answers[r, s])) == cell(r, s)


WORDS = st.sampled_from(
    [
        "mother",
        "wife",
        "of",
        " of ",
        "Ann",
        "ANN",
        "dora",
        "Ben",
        "",
        "  ",
        "none",
        "of of",
        "\n",
        "r0",
        "s0",
        "É",
    ]
)
QUESTIONS = st.one_of(
    st.lists(WORDS, max_size=7).map(" ".join), st.lists(WORDS, max_size=5).map(" of ".join), ANYTHING
)


@given(question=QUESTIONS, missing=MISSING, as_json=st.booleans())
def test_a_question_is_answered_or_refused(folder, question, missing, as_json):
    path = folder / "family.csv"
    path.write_text("subject,mother,wife\nAnn,Carla,\nBen,Carla,Dora\nDora,,Ann\nCarla,Ann,Ben\n")
    options = (["--missing", missing] if missing else []) + (["--json"] if as_json else [])
    status, out, _ = asked("ask", "--facts", str(path), *options, "--", question)
    answers_properly("ask", "--facts", str(path), *options, "--", question, statuses=(0, 2))
    assert (status == 0) == bool(out)
    if as_json and status == 0:
        assert json.loads(out)["question"] == question


DTYPES = st.sampled_from(
    ["F64", "F32", "F16", "BF16", "I64", "I8", "U8", "BOOL", "F8_E4M3", "X", "", 3, None]
)
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 5, 2**40, 2**63, -1, "3", None]), max_size=4)


@st.composite
def odd_headers(draw, data: bytes) -> bytes:
    """A safetensors file whose header says something else of a tensor, or of the metadata."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    name = draw(st.sampled_from(sorted(header)))
    if name == "__metadata__":
        key = draw(st.sampled_from([*sorted(header[name]), "other"]))
        odd = st.sampled_from(
            ['""', "[]", "3", "{", "null", '"hard"', "NaN", "1e999", "[{}]", '[{"tokens": 3}]']
        )
        query = st.fixed_dictionaries(
            {"relations": st.lists(st.integers(-1, 3) | st.just("x"), max_size=3)},
            optional={"tokens": st.lists(st.integers(-3, 9) | st.none(), max_size=4)},
        )
        header[name][key] = draw(odd | st.lists(query, max_size=2).map(json.dumps) | st.text(max_size=5))
    else:
        match draw(st.sampled_from(["dtype", "shape", "data_offsets", "rename", "drop"])):
            case "rename":
                header[
                    draw(
                        st.sampled_from(
                            ["W_E", "W_X", "b_U", "blocks.7.mlp.W_in", "blocks.999999999.mlp.W_in", ""]
                        )
                    )
                ] = header.pop(name)
            case "drop":
                del header[name]
            case "data_offsets":
                header[name]["data_offsets"] = draw(st.lists(st.integers(-9, 2**40), max_size=3))
            case field:
                header[name][field] = draw(DTYPES if field == "dtype" else SHAPES)
    text = json.dumps(header).encode()
    return struct.pack("<Q", draw(st.sampled_from([len(text)] * 4 + [0, 7, 2**40, 2**64 - 1]))) + text + body


@given(data=st.data())
def test_damaged_weights_are_judged_or_refused(folder, exported, data):
    model, answers = folder / "damaged.safetensors", folder / "right.npy"
    model.write_bytes(data.draw(damaged(exported[0]) | odd_headers(exported[0]) | JUNK))
    answers.write_bytes(exported[1])
    before = names_in(folder)
    answers_properly("check", "--model", str(model), "--answers", str(answers))
    assert names_in(folder) == before


FLOATS = st.sampled_from([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 2.0**60])


@st.composite
def odd_tensors(draw):
    """Tensors of the right names, of other shapes, number formats and values."""
    wide = st.integers(0, 6)
    d, A, width = draw(st.integers(0, 4)), draw(wide), draw(st.integers(0, 3))
    shapes = {
        "W_E": (draw(wide), d),
        "W_U": (d, A),
        "W_pos": (draw(st.integers(0, 3)), d),
        "b_U": (A,),
        "blocks.0.mlp.W_in": (d, width),
        "blocks.0.mlp.b_in": (width,),
        "blocks.0.mlp.W_out": (width, d),
        "blocks.0.mlp.b_out": (d,),
        "blocks.0.attn.W_Q": (1, d, 1),
        "blocks.0.attn.W_K": (1, d, 1),
        "blocks.0.attn.W_V": (1, d, 1),
        "blocks.0.attn.W_O": (1, 1, d),
    }
    kept = (
        draw(st.lists(st.sampled_from(sorted(shapes)), unique=True)) if draw(st.booleans()) else list(shapes)
    )
    tensors = {}
    for name in kept:
        shape = shapes[name] if draw(st.integers(0, 5)) else tuple(draw(st.lists(wide, max_size=3)))
        dtype = draw(
            st.sampled_from([np.float64] * 4 + [np.float32, np.float16, np.int64, np.int8, np.bool_])
        )
        with np.errstate(all="ignore"):
            tensors[name] = np.full(shape, draw(FLOATS)).astype(dtype)
    return tensors


@given(tensors=odd_tensors(), answers=st.integers(1, 3), hard=st.sampled_from([None, '"hard"', '"soft"']))
def test_odd_tensors_are_judged_or_refused(folder, tensors, answers, hard):
    from safetensors.numpy import save_file

    model, right = folder / "odd.safetensors", folder / "odd.npy"
    save_file(tensors, model, metadata={"attention": hard} if hard else None)
    np.save(right, np.zeros((1, answers), dtype=np.int64))
    answers_properly("check", "--model", str(model), "--answers", str(right))


@st.composite
def odd_arrays(draw) -> bytes:
    """A .npy file of another shape, dtype or content, or whose header promises what is not there."""
    out = io.BytesIO()
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    dtype = draw(
        st.sampled_from(["<i8", ">i8", "<i4", "u1", "<u8", "f8", "c16", "?", "U3", "S2", "O", "M8[s]"])
    )
    value = draw(st.sampled_from([0, 1, 2, 7, 255]))
    array = np.full(shape, "x" if dtype == "U3" else b"x" if dtype == "S2" else value).astype(dtype)
    np.save(out, array, allow_pickle=True)
    data = out.getvalue()
    if draw(st.booleans()):
        promised = draw(
            st.sampled_from(["(1000000000000, 3)", "(3, -1)", "(2, 3", "3", "('a',)", "None", "()"])
        )
        data = data.replace(repr(shape).encode(), promised.encode())
    return draw(st.just(data) | damaged(data))


@given(data=st.data())
@example(data=None)
def test_damaged_answers_are_judged_or_refused(folder, exported, data):
    model, answers = folder / "right.safetensors", folder / "damaged.npy"
    model.write_bytes(exported[0])
    if data is None:  # more than any machine has
        head = b"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1000000000000), }\n"
        written = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
    else:
        written = data.draw(damaged(exported[1]) | odd_arrays() | JUNK)
    answers.write_bytes(written)
    before = names_in(folder)
    answers_properly("check", "--model", str(model), "--answers", str(answers))
    assert names_in(folder) == before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "'' is no weight"),
        ("other", "'other' is no weight"),
        ("blocks.999999999.mlp.W_in", "a block is numbered 999999999"),
    ],
)
def test_a_tensor_of_another_name_is_refused(folder, name, says):
    from safetensors.numpy import save_file

    square = np.zeros((2, 2))
    save_file({name: square, "W_E": square, "W_U": square}, folder / "named")
    with pytest.raises(ValueError, match=says):
        load_safetensors(folder / "named")


@given(data=st.data())
def test_the_loaders_raise_only_what_they_say(folder, exported, data):
    """In Python, without the command line: ValueError, nothing else."""
    path = folder / "file"
    path.write_bytes(
        data.draw(damaged(exported[0]) | odd_headers(exported[0]) | damaged(exported[1]) | odd_arrays())
    )
    for load in (load_safetensors, load_queries, load_answers):
        with contextlib.suppress(ValueError):
            load(path)


NUMBERS = st.sampled_from(
    [
        "1",
        "2",
        "3",
        "4",
        "0",
        "-1",
        "2^2",
        "2**2",
        "1_0",
        "",
        "x",
        "1.5",
        "1e3",
        "2^",
        "^2",
        "٣",
        "inf",
        "nan",
        "--",
    ]
)
HUGE = st.sampled_from(["2^62", "2^99", "9" * 30, "1" + "0" * 18])
REALS = st.sampled_from(
    ["0", "1", "2", "0.5", "-1", "nan", "inf", "1e150", "1e308", "1e400", "x", "", "1/3", "0.1"]
)
CHOICES = st.sampled_from(
    ["bijections", "functions", "hard", "soft", "in-place", "separate", "unknown", "x", ""]
)
OPTIONS = {
    **{
        f"--{name}": NUMBERS
        for name in ("bits", "code-length", "code-distance", "hops", "stages", "trials", "seed")
    },
    "--subjects": NUMBERS | HUGE,
    "--relations": NUMBERS | HUGE,
    **{f"--{name}": REALS for name in ("gate", "margin", "delta")},
    **{f"--{name}": CHOICES for name in ("table", "readout", "attention", "missing")},
    "--typed": None,
    "--merged": None,
    "--json": None,
    "--nonesuch": NUMBERS,
    "--facts": st.sampled_from(["elements", "nonesuch", "nonesuch.csv", "", ".", "elements-neighbours"]),
}
CLAIMS = st.sampled_from(
    [
        *("single-hop", "single-hop-narrow", "single-hop-quantized", "single-hop-packed", "chain-of-thought"),
        *(
            "composed-hops",
            "sequential-hops",
            "hybrid-hops",
            "sign-code-memory",
            "counting-bound",
            "nonesuch",
            "",
        ),
    ]
)


@st.composite
def options_of(draw, known, most=5) -> list[str]:
    """Some options with values, good and bad, in any order."""
    given = []
    for name in draw(st.lists(st.sampled_from(sorted(known)), max_size=most, unique=True)):
        given += [name] if known[name] is None else [name, draw(known[name])]
    return given


@given(claim=CLAIMS, options=options_of(OPTIONS))
@example(claim="single-hop", options=["--gate", "1e308"])
@example(claim="chain-of-thought", options=["--gate", "1e308"])
@example(claim="chain-of-thought", options=["--gate", "1e150"])
@example(claim="single-hop-packed", options=["--gate", "1e150", "--bits", "16"])
def test_any_options_of_check(claim, options):
    small = [] if "--subjects" in options or "--facts" in options else ["--subjects", "5"]
    small += [] if "--relations" in options or "--facts" in options else ["--relations", "2"]
    answers_properly("check", claim, *small, *options)


@given(
    claim=CLAIMS,
    options=options_of(OPTIONS, most=3),
    out=st.sampled_from(["", ".", "m", "m.safetensors", "no/m.safetensors"]),
)
def test_any_options_of_export_leave_whole_files_or_none(folder, claim, options, out):
    place = folder / "exports"
    place.mkdir(exist_ok=True)
    for path in place.iterdir():
        path.unlink()
    small = [] if "--subjects" in options or "--facts" in options else ["--subjects", "5"]
    small += [] if "--relations" in options or "--facts" in options else ["--relations", "2"]
    status = answers_properly("export", claim, *small, *options, "--out", str(place / out), statuses=(0, 2))
    left = names_in(place)
    assert (status == 0) == bool(left)
    if status == 0:
        assert left.keys() == {"m.safetensors", "m.answers.npy"}
        load_safetensors(place / "m.safetensors")


BOUNDS = st.sampled_from(
    [
        *("counting", "approximate-counting", "bits-per-subject", "margin", "selector", "selector-width"),
        *(
            "multi-hop",
            "multi-hop-untyped",
            "hamming",
            "plotkin",
            "gilbert-varshamov",
            "welch",
            "rankin",
            "x",
            "",
        ),
    ]
)
TAKEN = {
    **{
        f"--{name}": NUMBERS
        for name in ("subjects", "relations", "attributes", "hops", "subjects-asked", "errors")
    },
    **{f"--{name}": NUMBERS for name in ("bits", "length", "distance", "dimension", "order", "digits")},
    **{f"--{n}": REALS for n in ("other-bits", "subject-bits", "margin", "radius", "lipschitz", "coherence")},
    "--shortened": None,
    "--json": None,
}


@given(name=BOUNDS, options=options_of(TAKEN, most=6))
def test_any_options_of_bound(name, options):
    answers_properly("bound", name, *options, statuses=(0, 2, 3))


ODDS = st.one_of(
    st.sampled_from(
        ["--help", "-h", "--version", "--json", "--latex", "--", "-", "--out", "--facts", "elements", "."]
    ),
    ANYTHING,
)


@given(command=st.sampled_from([*COMMANDS, "nonesuch", "", "--", "-x"]), rest=st.lists(ODDS, max_size=3))
def test_any_words_at_all(folder, command, rest):
    before = names_in(folder / "words") if (folder / "words").exists() else {}
    (folder / "words").mkdir(exist_ok=True)
    with contextlib.chdir(folder / "words"):
        if command == "check" and rest[:1] and rest[0].startswith("--constr"):
            return
        status = answers_properly(command, *rest)
    if status == 2:
        assert names_in(folder / "words") == before


@given(
    kind=st.sampled_from(["capacity", "depth", "plane", "x", ""]), data=st.binary(max_size=200), out=ANYTHING
)
def test_a_results_file_that_is_none(folder, kind, data, out):
    place = folder / "plots"
    place.mkdir(exist_ok=True)
    results = place / "results.sqlite"
    results.write_bytes(data)
    answers_properly(
        "plot", kind, str(results), "--out", str(place / f"{out.replace('/', '')}.svg"), statuses=(2,)
    )
    assert names_in(place) == {"results.sqlite": data}


GRID = {
    **{f"--{name}": NUMBERS for name in ("relations", "trials", "seed")},
    **{f"--{name}": REALS for name in ("level", "share")},
    "--construction": st.sampled_from(["single-hop-dense", "linear-memory", "single-hop", "x", ""]),
    "--workers": st.sampled_from(["1", "0", "-1", "x", ""]),
    "--preset": st.sampled_from(["x", ""]),
    "--json": None,
}


@settings(max_examples=max(20, settings.default.max_examples // 8))  # each writes a results file
@given(options=options_of(GRID), N=NUMBERS, d=NUMBERS, hops=st.booleans())
def test_any_options_of_sweep_leave_whole_files(folder, options, N, d, hops):
    """A results file keeps the cells that were finished before one failed; rows come whole, at the end."""
    place = folder / "sweeps"
    place.mkdir(exist_ok=True)
    for path in place.iterdir():
        path.unlink()
    sizes = (
        ["hops", "--subjects", N, "--hops", d] if hops else ["capacity", "--subjects", N, "--dimension", d]
    )
    files = ["--out", str(place / "r.sqlite"), "--rows", str(place / "r.csv")]
    status = answers_properly("sweep", *sizes, *options, *files, statuses=(0, 2))
    left = {path.name for path in place.iterdir()}
    assert left == {"r.sqlite", "r.csv"} if status == 0 else left <= {"r.sqlite"}
    if "r.sqlite" in left:
        with Store(place / "r.sqlite") as store:
            assert status == 2 or len(store.rows())
