"""What would not fit is refused before it is made, in one line that says how much it would take."""

import pytest

from georecall.theory.facts.keyed import KeyedBijections
from georecall.verify import usage as limits
from georecall.verify.claims.check import check, prepare
from georecall.verify.margins import hops as multi_hop
from georecall.verify.margins.induction import PremiseError
from georecall.verify.recall.weights import check_recall
from georecall.verify.usage import UsageError, memory, require_memory, require_memory_for_weights


def test_what_fits_is_not_refused():
    require_memory(0, "nothing")
    require_memory(1 << 20, "a MiB")


def test_a_container_has_what_its_control_group_allows(tmp_path):
    there = memory(tmp_path, tmp_path / "own")
    assert there is not None
    (tmp_path / "own").write_text("0::/a/b\n4:memory:/a/b\n")
    sizes = {"memory.max": 3 << 20, "memory/a/b/memory.limit_in_bytes": 2 << 20, "a/b/memory.max": 5}
    for name, size in sizes.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{size}\n")
        memory.cache_clear()
        assert memory(tmp_path, tmp_path / "own") == size
    for name in sizes:
        (tmp_path / name).write_text("max\n")
    memory.cache_clear()
    assert memory(tmp_path, tmp_path / "own") == there


def test_many_relations_are_refused_by_what_they_really_take(monkeypatch):
    monkeypatch.setattr(limits, "memory", lambda: 24 << 30)
    with pytest.raises(UsageError, match=r"weights of 3 outputs and d_model 40002 would take 53\.6 GiB"):
        check("single-hop", subjects=3, relations=20_000)


@pytest.mark.parametrize(("size", "says"), [(2**90, "1.15e+18 GiB"), (10**400, "9.31e+390 GiB")])
def test_what_no_machine_holds_is_refused_whatever_its_size(size, says):
    with pytest.raises(UsageError, match="all of it would take") as error:
        require_memory(size, "all of it")
    assert f"would take {says}; this machine has " in str(error.value)


def test_rows_on_demand_need_no_memory_but_outputs_and_relations_do(monkeypatch):
    asked = []
    monkeypatch.setattr(limits, "require_memory", lambda n_bytes, what: asked.append(n_bytes))
    facts = KeyedBijections(1000, 3, seed=0)
    require_memory_for_weights(facts, 50)
    require_memory_for_weights(facts, 50, on_demand=True)
    assert asked == [8 * ((1000 + 3 + 2 * 1000) * 50 + 1000), 8 * (9 * 3 * 50 + 1000)]


@pytest.mark.parametrize("claim", ["composed-hops", "chain-of-thought"])
@pytest.mark.parametrize("hops", [63, 64])
def test_more_hops_than_an_array_has_axes_are_verified_all_the_same(claim, hops):
    assert check(claim, subjects=2, relations=1, hops=hops).status == "holds"


@pytest.mark.parametrize("claim", ["composed-hops", "chain-of-thought"])
def test_where_no_certificate_applies_so_many_hops_are_not_enumerated(monkeypatch, claim):
    def no_certificate(*_, **__):
        raise PremiseError("it does not apply")

    for name in ("transitions", "induction", "windows"):
        monkeypatch.setattr(multi_hop, name, no_certificate)
    instance = prepare(claim, subjects=2, relations=1, hops=64).instance
    model, samples = instance.build(), instance.samples()
    verdict = check_recall(model, instance.facts, asked=samples[-1:])
    assert (verdict.status, verdict.reason) == ("inconclusive", "it does not apply")
