"""What the letters in a claim's statement mean: those that mean the same wherever they stand."""

import re

COMMON: dict[str, str] = {
    r"\pi": "relations, as functions of a subject; their values are the answers",
    "A": "the attributes, |A| of them",
    "I": "the identity matrix",
    "W_E": "embedding: a row for each subject, then for each relation",
    "W_K": "keys",
    "W_O": "what a head writes",
    "W_Q": "queries; scores are q.k",
    "W_U": "unembedding: a column for each attribute",
    "W_V": "values",
    "W_{in}": "MLP, into the neurons",
    "W_{out}": "MLP, out of the neurons",
    "W_{pos}": "embedding of positions; 0 where nothing is said",
    "a": "an attribute",
    "b": "another attribute, a competitor",
    "b_U": "bias of the logits; 0 where nothing is said",
    "b_{in}": "bias of the neurons; 0 where nothing is said",
    "b_{out}": "bias of the MLP's output; 0 where nothing is said",
    "d_{model}": "dimension of the residual stream",
    "hi": "greatest value of the code",
    "i": "number of a coordinate, neuron or step",
    "j": "number of a coordinate",
    "lo": "least value of the code",
    "r": "a relation",
    "s": "a subject",
    "t": "number of a hop, head or token",
    "u": "sign code: injective, words of -1 and 1",
    "v": "code of the attributes, one word each",
    "x": "residual at the last position before the MLP",
    "z": "a coordinate of the residual before the MLP",
}

_GREEK = r"\\(?:alpha|beta|gamma|delta|varepsilon|lambda|mu|nu|pi|rho|sigma|tau|varphi|phi)(?![a-z])"
_LETTER = re.compile(
    r"[A-Za-z]_\{(?:in|out|pos|model)\}|[Wb]_[EQKVOU](?![a-z])"  # weights have names of two letters
    rf"|{_GREEK}|\\[A-Za-z]+|(?<![A-Za-z])(?:lo|hi)(?![A-Za-z])|[A-Za-z]"
)


def letters_used(text: str) -> set[str]:
    r"""The letters that the mathematics of a text uses; words in upright type are none, but for `gate`.

    Example:
        >>> sorted(letters_used(r"If $W_E[s] = v(\pi_r(s))$ and $\mathrm{gate} \ge V/2$, no letter is here."))
        ['V', 'W_E', '\\pi', 'gate', 'r', 's', 'v']
    """
    found = set[str]()
    for math in re.findall(r"\$\$?(.+?)\$\$?", text, flags=re.DOTALL):
        if r"\mathrm{gate}" in math:
            found.add("gate")
        bare = re.sub(r"\\(?:mathrm|text|texttt|mathbb|operatorname)\{[^{}]*\}", " ", math)
        letters = _LETTER.findall(bare)
        found |= {a for a in letters if not a.startswith("\\") or re.fullmatch(_GREEK, a)}
    return found
