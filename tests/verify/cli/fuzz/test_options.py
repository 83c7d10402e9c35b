"""Options of the commands that build and measure, good and bad, in any order."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from georecall.constructions.files.loading import load_safetensors
from georecall.verify.sweep import Store

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
def test_any_options_of_check(assert_answers_properly, claim, options):
    small = [] if "--subjects" in options or "--facts" in options else ["--subjects", "5"]
    small += [] if "--relations" in options or "--facts" in options else ["--relations", "2"]
    assert_answers_properly("check", claim, *small, *options)


@given(
    claim=CLAIMS,
    options=options_of(OPTIONS, most=3),
    out=st.sampled_from(["", ".", "m", "m.safetensors", "no/m.safetensors"]),
)
def test_any_options_of_export_leave_whole_files_or_none(
    folder, assert_answers_properly, names_in, claim, options, out
):
    place = folder / "exports"
    place.mkdir(exist_ok=True)
    for path in place.iterdir():
        path.unlink()
    small = [] if "--subjects" in options or "--facts" in options else ["--subjects", "5"]
    small += [] if "--relations" in options or "--facts" in options else ["--relations", "2"]
    status = assert_answers_properly(
        "export", claim, *small, *options, "--out", str(place / out), statuses=(0, 2)
    )
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
def test_any_options_of_bound(assert_answers_properly, name, options):
    assert_answers_properly("bound", name, *options, statuses=(0, 2, 3))


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
def test_any_options_of_sweep_leave_whole_files(folder, assert_answers_properly, options, N, d, hops):
    """A results file keeps the cells that were finished before one failed; rows come whole, at the end."""
    place = folder / "sweeps"
    place.mkdir(exist_ok=True)
    for path in place.iterdir():
        path.unlink()
    sizes = (
        ["hops", "--subjects", N, "--hops", d, "--most", "100"]
        if hops
        else ["capacity", "--subjects", N, "--dimension", d]
    )
    files = ["--out", str(place / "r.sqlite"), "--rows", str(place / "r.csv")]
    status = assert_answers_properly("sweep", *sizes, *options, *files, statuses=(0, 2))
    left = {path.name for path in place.iterdir()}
    assert left == {"r.sqlite", "r.csv"} if status == 0 else left <= {"r.sqlite"}
    if "r.sqlite" in left:
        with Store(place / "r.sqlite") as store:
            assert status == 2 or len(store.rows())
