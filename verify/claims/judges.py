"""The claims about all models, each with the judge that puts it to the test."""

from georecall.theory.claims.counting import COUNTING_BOUND
from georecall.theory.claims.margin import MARGIN_BOUND
from georecall.theory.claims.multi_hop import MULTI_HOP_BOUND
from georecall.theory.claims.selector import SELECTOR_NECESSARY
from georecall.theory.claims.two_sided import TWO_SIDED_BOUND
from georecall.verify.claims.counting import counting_bound
from georecall.verify.claims.floors import Judge
from georecall.verify.claims.margin import margin_bound
from georecall.verify.claims.multi_hop import multi_hop_bound
from georecall.verify.claims.selector import selector_necessary
from georecall.verify.claims.two_sided_floor import two_sided_bound

FLOORS: dict[str, Judge] = {
    MULTI_HOP_BOUND.name: multi_hop_bound,
    TWO_SIDED_BOUND.name: two_sided_bound,
    COUNTING_BOUND.name: counting_bound,
    MARGIN_BOUND.name: margin_bound,
    SELECTOR_NECESSARY.name: selector_necessary,
}
