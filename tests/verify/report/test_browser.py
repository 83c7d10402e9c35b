"""The page in headless Chromium: nothing complains, everything is there and can be seen."""

from pathlib import Path
from typing import Any

import pytest

from georecall.theory.claims import CLAIMS
from georecall.verify.figures import FIGURES

SCHEMES = ("light", "dark")

BOXES = """[...document.querySelectorAll(%r)].map(element => {
  const box = element.getBoundingClientRect();
  return {name: element.closest('[id]')?.id ?? '', width: box.width, height: box.height};
})"""

# Contrast of text with the first opaque ground behind it (WCAG 2), of one element of each class and tag.
CONTRASTS = """(() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = channels(getComputedStyle(at).backgroundColor);
      if (alpha > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const seen = {};
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const inside = element.closest('svg');
    const style = getComputedStyle(element);
    const a = luminance(channels(inside ? style.fill : style.color));
    const b = luminance(ground(inside ?? element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const kind = element.tagName + '.' + (element.getAttribute('class') ?? '');
    seen[kind] = Math.min(seen[kind] ?? 99, ratio);
  }
  return seen;
})()"""


DRAWN = [name for name in FIGURES if FIGURES[name].sweep in ("capacity", "hops")]


def faults(browser: Any, path: Path) -> list[str]:
    """Everything that is wrong with a page."""
    found = []
    browser.open(path)
    found += [f"console: {said}" for said in browser.complaints]
    fetched = [url for url in browser.requested if url != path.as_uri() and not url.startswith("data:")]
    found += [f"fetched {url}" for url in fetched]
    there = set(browser.value("[...document.querySelectorAll('[id]')].map(e => e.id)"))
    found += [f"no claim {name}" for name in CLAIMS if name not in there]
    pictures = {box["name"]: box for box in browser.value(BOXES % "figure svg")}
    for name in DRAWN:
        box = pictures.get(f"figure-{name}")
        if box is None or min(box["width"], box["height"]) < 200:
            found.append(f"no figure {name}")
    formulas = browser.value(BOXES % "math")
    if len(formulas) < 10 * len(CLAIMS):
        found.append(f"only {len(formulas)} formulas")
    found += [f"a formula of no size in {b['name']}" for b in formulas if min(b["width"], b["height"]) < 3]
    grounds = set()
    for scheme in SCHEMES:
        browser.open(path, width=360, height=740, scheme=scheme)
        wide = browser.value("document.documentElement.scrollWidth")
        if wide > 360:
            found.append(f"{wide} px wide at 360")
        grounds.add(browser.value("getComputedStyle(document.body).backgroundColor"))
        pale = {kind: ratio for kind, ratio in browser.value(CONTRASTS).items() if ratio < 4.5}
        found += [f"contrast {ratio:.1f} of {kind}, {scheme}" for kind, ratio in pale.items()]
    if len(grounds) != len(SCHEMES):
        found.append("one ground for both colour schemes")
    return found


def test_the_page_opens_and_everything_is_there(chromium: Any, html: str, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(html, encoding="utf-8")
    assert faults(chromium, path) == []


@pytest.mark.parametrize(
    "planted",
    [  # old text, new text, what is said of it; a page takes those that do not hide each other
        [
            ("</body>", '<img src="missing.png" alt=""></body>', "console"),
            ('id="figure-phase"', 'id="figure-other"', "no figure phase"),
            ('<h3 id="linear-memory"', "<h3", "no claim linear-memory"),
            ("</style>", "math { display: none }</style>", "a formula of no size"),
            ("</style>", "small { color: #999 !important }</style>", "of SMALL"),
            ("</style>", ".picture svg text { fill: #000 !important }</style>", "of text"),
        ],
        [
            ("</body>", "<script>console.error('no')</script></body>", "console"),
            ("<main>", '<main><p style="width: 500px">wide</p>', "px wide at 360"),
            ("</style>", "body { background: #fff !important }</style>", "one ground"),
        ],
    ],
)
def test_planted_faults_are_seen(
    chromium: Any, html: str, tmp_path: Path, planted: list[tuple[str, str, str]]
) -> None:
    path = tmp_path / "index.html"
    for old, new, _ in planted:
        assert old in html
        html = html.replace(old, new, 1)
    path.write_text(html, encoding="utf-8")
    found = faults(chromium, path)
    assert [seen for *_, seen in planted if not any(seen in fault for fault in found)] == []
