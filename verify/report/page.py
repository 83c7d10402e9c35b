"""The page: one HTML document that needs nothing beside it."""

from collections import Counter
from collections.abc import Iterable
from importlib import resources

from georecall.theory.tools.version import VERSION
from georecall.verify.report.appendix import bounds, constructions, lemmas, reproduce
from georecall.verify.report.claims import claim_section, figure_element
from georecall.verify.report.content import Content
from georecall.verify.report.figures import Drawn
from georecall.verify.report.markup import Markup, element, join
from georecall.verify.report.mathematics import text_with_formulas
from georecall.verify.report.prose import code, counted, listed, pretty, sentence
from georecall.verify.report.tables import badge, table

TITLE = "Geometric factual recall, claim by claim"
_METHODS = {
    "codebook": "each readout is exactly its answer's word, so that no logit is needed",
    "exhaustive": "all logits, in floats proved not to round, or in rationals",
    "filtered": "all logits with proved error bounds, doubtful facts again in rationals",
    "induction": "single steps, and premises checked on the weights, prove every chain",
    "transitions": "queries whose last residual is the same count once",
}
_MEANINGS = {
    "holds": "every fact is recalled (a tie is an error), every quantity is as predicted, and every control "
    "broke as predicted",
    "refuted": "a witness is shown: a fact with a margin of at most 0, or a quantity that differs",
    "inconclusive": "it could not be decided, or a control came out otherwise than the theory says",
    "hypotheses-not-met": "the parameters lie outside the theorem",
    "stated": "not checked on this page; the reason is given",
}


def page(content: Content) -> str:
    """The whole document; the same content gives the same text."""
    numbers = {figure.name: n for n, figure in enumerate(_in_order(content), start=1)}
    homeless = [figure for figure in content.figures if not figure.about]
    sections = [
        ("claims-at-a-glance", "The claims at a glance", _glance(content)),
        ("reading", "How to read a verdict", _reading()),
        (
            "claims",
            "The claims",
            join(claim_section(checked, content.figures, numbers) for checked in content.claims),
        ),
        ("more-figures", "More figures", join(figure_element(f, numbers[f.name]) for f in homeless)),
        ("lemmas", "Lemmas", lemmas(content)),
        ("bounds", "Bounds", bounds(content)),
        ("constructions", "Constructions", constructions(content)),
        ("reproduce", "Reproducing this page", reproduce(content)),
    ]
    shown = [(name, title, body) for name, title, body in sections if body]
    main = [element("section", element("h2", title, id=name), body) for name, title, body in shown]
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        # Nothing is fetched: not by accident either.
        Markup(
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        ),
        Markup(f'<meta name="generator" content="georecall {VERSION}">'),
        Markup('<link rel="icon" href="data:,">'),
        element("title", TITLE),
        element(
            "style",
            Markup(resources.files("georecall.verify.report").joinpath("page.css").read_text("utf-8")),
        ),
    )
    body = element(
        "body",
        element("a", "Skip to the claims", href="#claims", class_="skip"),
        _header(content),
        element("div", _contents(content, shown), element("main", *main), class_="columns"),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _in_order(content: Content) -> Iterable[Drawn]:
    """The figures as they stand on the page: with the claims, then those that belong to none."""
    order = [checked.claim.name for checked in content.claims] + [""]
    return sorted(content.figures, key=lambda figure: order.index(figure.about[0] if figure.about else ""))


def _header(content: Content) -> Markup:
    outcomes = Counter(checked.status for checked in content.claims)
    controls = [
        c.ok for checked in content.claims if checked.verdict is not None for c in checked.verdict.controls
    ]
    proved = sum(row.status == "proved" for row in content.lemmas)
    facts = [join([badge(status), f" {counted(n, 'claim')}"]) for status, n in outcomes.items()] + [
        f"{sum(controls)} of {len(controls)} negative controls as predicted",
        f"{proved} of {len(content.lemmas)} lemmas proved",
        f"preset {content.preset}, seed {content.seed}",
    ]
    return element(
        "header",
        element("h1", TITLE),
        element(
            "p",
            "A transformer can keep ",
            text_with_formulas(r"$R$ facts about each of $N$ subjects in $O(R \log N)$ dimensions: "),
            "embeddings superpose the attributes, and a small ReLU layer selects by relation. This page "
            "states every claim of that theory, and what came out when it was put to the test: real weights "
            "were built, every query was asked through them, and broken instances beside them had to break "
            "as the theory says.",
            class_="lead",
        ),
        element("ul", *(element("li", fact) for fact in facts), class_="facts"),
    )


def _contents(content: Content, sections: list[tuple[str, str, Markup]]) -> Markup:
    def entry(name: str, title: str) -> Markup:
        link = element("a", title, href=f"#{name}")
        if name != "claims":
            return element("li", link)
        inner = [
            element("li", element("a", f"{c.claim.label}\u2002{c.claim.name}", href=f"#{c.claim.name}"))
            for c in content.claims
        ]
        return element("li", link, element("ul", *inner))

    return element(
        "nav", element("ul", *(entry(name, title) for name, title, _ in sections)), aria_label="Contents"
    )


def _glance(content: Content) -> Markup:
    rows = []
    for checked in content.claims:
        claim, verdict = checked.claim, checked.verdict
        controls = [control.ok for control in verdict.controls] if verdict is not None else []
        said = f"{sum(controls)}/{counted(len(controls), 'control')}" if controls else ""
        at = listed(checked.given) if verdict is not None else checked.missing
        rows.append(
            (
                element("a", claim.label, href=f"#{claim.name}"),
                join([sentence(claim.title), element("small", code(claim.name), " ", at)]),
                join([badge(checked.status), element("small", said) if said else ""]),
            )
        )
    return table("All claims and their verdicts", ("", "claim", "verdict"), rows, name="glance")


def _reading() -> Markup:
    def definitions(terms: dict[str, str], shown: bool = False) -> Markup:
        return element(
            "dl",
            *(
                element("div", element("dt", badge(t) if shown else code(t)), element("dd", pretty(m)))
                for t, m in terms.items()
            ),
        )

    return join(
        [
            definitions(_MEANINGS, shown=True),
            element(
                "p",
                "No verdict rests on rounding: where weights are dyadic, an audit proves that no operation "
                "on the way rounds, and the verdict is exact. How the margins of all queries were obtained:",
            ),
            definitions(_METHODS),
        ]
    )
