import math
import subprocess
import sys
import threading
import time
from fractions import Fraction

import flint
import pytest

from georecall.bounds import MissingExtraError, counting, precision
from georecall.bounds.arithmetic import balls


def test_precision_is_restored_also_after_an_exception():
    before = flint.ctx.prec

    def fail() -> None:
        with precision(before + 77):
            assert flint.ctx.prec == before + 77
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert flint.ctx.prec == before
    with precision(100), precision(200):
        assert flint.ctx.prec == 200
    assert flint.ctx.prec == before


def test_threads_take_turns_and_each_works_at_its_own_precision():
    before, seen, barrier = flint.ctx.prec, [], threading.Barrier(4)

    def work(bits: int) -> None:
        barrier.wait()
        for _ in range(10):
            with precision(bits):
                time.sleep(0.0005)  # long enough for the others to meddle, were they let in
                seen.append((bits, flint.ctx.prec, flint.arb(2).log().rel_accuracy_bits()))

    threads = [threading.Thread(target=work, args=(bits,)) for bits in (60, 200, 400, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 40
    assert all(bits == found and accuracy > bits - 10 for bits, found, accuracy in seen)
    assert flint.ctx.prec == before


def test_a_meddling_thread_can_only_widen_the_result():
    stop = threading.Event()

    def meddle() -> None:
        while not stop.is_set():
            flint.ctx.prec = 2

    before = flint.ctx.prec
    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        rough = [counting(n, 2, digits=5) for n in range(2, 40)]
    finally:
        stop.set()
        thread.join()
        flint.ctx.prec = before
    for n, enclosure in enumerate(rough, start=2):
        sharp = counting(n, 2, digits=40)
        assert enclosure.lower <= sharp.upper
        assert enclosure.upper >= sharp.lower


def test_without_flint_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'georecall\[certified\]'") as caught:
        counting(10, 2)
    assert isinstance(caught.value, ImportError)


def test_importing_bounds_is_light():
    heavy = "('flint', 'numpy', 'scipy', 'sympy', 'mpmath')"
    code = f"import georecall.bounds, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_refine_raises_the_precision_until_the_ball_is_narrow():
    seen = []

    def cancelling() -> object:
        seen.append(flint.ctx.prec)
        big = balls.ball(10**200)
        return (big + balls.ball(Fraction(1, 3))) - big

    enclosure = balls.refine(cancelling, digits=30, unit="1")
    assert enclosure.contains(Fraction(1, 3))
    assert enclosure.narrower_than(30)
    assert len(seen) > 1


def test_refine_returns_what_all_balls_have_in_common():
    """[0, 2], then [5/4, 13/4]: [5/4, 2] is narrow enough, neither of them is."""
    found = iter([flint.arb(1, 1), flint.arb(2.25, 1)])
    enclosure = balls.refine(lambda: next(found), digits=0, unit="1")
    assert (float(enclosure.lower), float(enclosure.upper)) == pytest.approx((1.25, 2), abs=1e-6)


def test_refine_keeps_a_rough_ball_as_it_is():
    calls = []

    def rough() -> balls.Rough:
        calls.append(1)
        return balls.Rough(balls.between(balls.ball(1), balls.ball(2)))

    enclosure = balls.refine(rough, digits=30, unit="1")
    assert enclosure.contains(1)
    assert enclosure.contains(2)
    assert len(calls) == 1


def test_refine_starts_at_four_bits_a_digit_and_doubles_nine_times_before_it_gives_up():
    tried = []

    def nothing() -> object:
        tried.append(flint.ctx.prec)
        return flint.arb.nan()

    with pytest.raises(ArithmeticError, match=f"no finite enclosure at {84 * 2**9} bits"):
        balls.refine(nothing, digits=5, unit="1")
    assert tried == [84 * 2**i for i in range(10)]


def test_falling_factorials_have_the_bits_of_distinct_labels():
    with precision(100):
        assert balls.log2_falling(8, 1).contains(3)
        assert balls.log2_falling(5, 2).contains(balls.log2(20))
        assert balls.log2_falling(5, 0).is_zero()
        assert balls.log2_factorial(0).is_zero()
        assert balls.log2_factorial(1).is_zero()


def test_whole_numbers_of_bits_are_exact():
    assert balls.log2(1 << 200).man_exp() == (25, 3)  # 200
    assert balls.log2(Fraction(1, 8)).unique_fmpz() == -3
    assert not balls.log2(3).is_exact()
    for N in range(1, 20):
        for n in range(N + 1):
            count = math.perm(N, n)
            assert balls.log2_falling(N, n).is_exact() == (count.bit_count() == 1)
            assert balls.log2_falling(N, n).overlaps(balls.ball(count).log() / balls.ball(2).log())
    assert [balls.log2_factorial(n).is_exact() for n in range(4)] == [True, True, True, False]
