"""What controls share: every margin is compared, and each way to disagree is seen alone."""

from dataclasses import replace

import numpy as np
import pytest

from georecall import Code, in_place_superposition, quantized_code, sign_code
from georecall.theory.claims.claim import Control
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.claims.controls import as_predicted, nearest_word_margins, neighbour, result
from georecall.verify.margins.margins import margins

CONTROL = Control("a fault", "this breaks")
FACTS = FactTable([[0, 1], [1, 0]])
SOUND = margins(in_place_superposition(FACTS), FACTS)
BROKEN = margins(in_place_superposition(FACTS, gate=0.25), FACTS)


def test_a_result_carries_what_was_expected_and_what_came():
    shown = result(CONTROL, "that", np.bool_(False))
    assert (shown.name, shown.expected, shown.got, shown.ok) == ("a fault", "this breaks", "that", False)
    assert shown.ok is False


def test_margins_as_predicted_agree():
    shown = as_predicted(CONTROL, SOUND, SOUND.lower)
    assert shown.ok
    assert shown.got == "4 of 4 margins as predicted, 0 not positive"
    shown = as_predicted(CONTROL, BROKEN, BROKEN.lower, fails=True)
    assert shown.ok
    assert shown.got == "4 of 4 margins as predicted, 2 not positive"


def test_each_way_to_disagree_is_seen_alone():
    other = SOUND.lower.copy()
    other[1, 0] += 0.5
    assert as_predicted(CONTROL, SOUND, other).got == "3 of 4 margins as predicted, 0 not positive"
    assert not as_predicted(CONTROL, SOUND, other).ok
    assert not as_predicted(CONTROL, SOUND, SOUND.lower, fails=True).ok
    assert not as_predicted(CONTROL, SOUND, SOUND.lower, besides=False).ok
    assert not as_predicted(CONTROL, BROKEN, BROKEN.lower, besides=False).ok
    assert not as_predicted(CONTROL, replace(SOUND, exact=False), SOUND.lower).ok
    assert not as_predicted(CONTROL, replace(SOUND, signs=-SOUND.signs), SOUND.lower).ok


def test_one_error_is_enough_and_small_margins_are_none():
    lower, signs = SOUND.lower / 4, SOUND.signs.copy()  # margins of 1/2
    assert not as_predicted(CONTROL, replace(SOUND, lower=lower), lower, fails=True).ok
    lower[0, 1], signs[0, 1] = -0.5, -1
    assert as_predicted(CONTROL, replace(SOUND, lower=lower, signs=signs), lower, fails=True).ok


def test_a_predicted_tie_is_a_predicted_error():
    tied = replace(BROKEN, lower=np.where(BROKEN.lower <= 0, 0.0, BROKEN.lower))
    assert as_predicted(CONTROL, tied, tied.lower, fails=True).ok


@pytest.mark.parametrize("code", [sign_code(5), quantized_code(5, bits=2)])
def test_nearest_word_margins_are_those_of_all_logits(code):
    rng = np.random.default_rng(0)
    readout, answers = rng.integers(-3, 4, (5, 5, code.length)) / 2, np.tile(np.arange(5), (5, 1))
    found = nearest_word_margins(readout, code, answers)
    assert (found > 0).any()
    assert (found < 0).any()
    for at in np.ndindex(5, 5):
        logits = [readout[at] @ word - word @ word / 2 for word in code.words]
        right = logits.pop(answers[at])
        assert found[at] == right - max(logits)


def test_a_neighbour_differs_from_the_answer_in_one_coordinate_alone():
    words = np.array([[1, 1, 1], [-1, -1, 1], [-1, -1, -1], [1, 1, -1]])
    code = Code(words, -1, 1)
    assert neighbour(code, np.array([1, 0])) == (0, 2, 2)
    assert neighbour(code, np.array([3, 0])) == (0, 2, 0)
    with pytest.raises(ValueError, match="no two words"):
        neighbour(Code(words[:2], -1, 1), np.array([0, 1]))
    assert neighbour(Code(words[[0, 1, 2]], -1, 1), np.array([0, 1])) == (1, 2, 2)
