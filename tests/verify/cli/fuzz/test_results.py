"""Results files that are none."""

from hypothesis import given
from hypothesis import strategies as st

ANYTHING = st.text(st.characters(exclude_characters="\0"), max_size=12)


@given(
    kind=st.sampled_from(["capacity", "depth", "plane", "x", ""]), data=st.binary(max_size=200), out=ANYTHING
)
def test_a_results_file_that_is_none(folder, assert_answers_properly, names_in, kind, data, out):
    place = folder / "plots"
    place.mkdir(exist_ok=True)
    results = place / "results.sqlite"
    results.write_bytes(data)
    assert_answers_properly(
        "plot", kind, str(results), "--out", str(place / f"{out.replace('/', '')}.svg"), statuses=(2,)
    )
    assert names_in(place) == {"results.sqlite": data}
