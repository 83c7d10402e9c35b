"""The forward pass, node by node, in the order of `constructions.transformer.transformer`."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.safetensors import encoded
from georecall.constructions.transformer.arithmetic import GELU_NEW, dense
from georecall.constructions.transformer.layers import MLP, Attention, Norm
from georecall.constructions.transformer.normal import LAST, NODES_PER_UNIT, phi_table
from georecall.constructions.transformer.trained import BiasedAttention, GeluMLP, GeluNewMLP, NormedBlock
from georecall.constructions.transformer.transformer import Transformer

if TYPE_CHECKING:
    import onnx


class Graph:
    """Nodes and initializers, in the order of the forward pass."""

    def __init__(self, model: Transformer, dtype: str) -> None:
        self.model, self.dtype = model, dtype
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        for name, weight in model.weights().items():
            self._store(name, encoded(name, dense(weight), dtype))
        self._node("Add", "logits", self._node("MatMul", "unembed", self._prompt(), "W_U"), "b_U")

    def _prompt(self) -> str:
        """The residual stream from the prompt to the last position after the last block."""
        tokens, positions = self._after_bos()
        x = self._node("Gather", "embed", "W_E", tokens)
        if self.model.W_pos is not None:
            placed = self._node("Gather", "pos_embed", "W_pos", positions)
            x = self._node("Add", "resid.0", x, placed)
        if any(block.attention is not None for block in self.model.blocks[:-1]):
            self._mask()
        for number, block in enumerate(self.model.blocks):
            is_last = number + 1 == self.model.n_layers
            at, after = f"blocks.{number}", self._last_of(x, f"blocks.{number}.resid_last") if is_last else x
            ln1, ln2 = (block.ln1, block.ln2) if isinstance(block, NormedBlock) else (None, None)
            post = isinstance(block, NormedBlock) and block.post
            if block.attention is not None:
                read = context = None
                if not post:
                    read = self._norm(f"{at}.ln1.last", f"{at}.ln1", ln1, after)
                    context = read if after == x else self._norm(f"{at}.ln1.all", f"{at}.ln1", ln1, x)
                summed = self._attention(
                    f"{at}.attn", block.attention, after, read or after, context or x, masked=not is_last
                )
                after = self._norm(f"{at}.ln1.after", f"{at}.ln1", ln1, summed) if post else summed
            if block.mlp is not None:
                read = after if post else self._norm(f"{at}.ln2.before", f"{at}.ln2", ln2, after)
                summed = self._mlp(f"{at}.mlp", block.mlp, after, read)
                after = self._norm(f"{at}.ln2.after", f"{at}.ln2", ln2, summed) if post else summed
            x = after
        if not self.model.blocks:
            x = self._last_of(x, "resid_last")
        x = self._norm("ln_final", "ln_final", self.model.ln_final, x)
        return self._node("Squeeze", "final", x, self._constant("axis.1", [1]))

    def _after_bos(self) -> tuple[str, str]:
        """Tokens and positions of the prompts, after the first token that all have."""
        if self.model.bos is None:
            return "tokens", "positions"
        first = self._node("Mul", "bos.column", self._column(), self._constant("zero", 0))
        bos = self._node("Add", "bos.tokens", first, self._constant("bos", self.model.bos))
        moved = self._node("Add", "positions.moved", "positions", self._constant("step", 1))
        return (
            self._node("Concat", "tokens.all", bos, "tokens", axis=1),
            self._node("Concat", "positions.all", first, moved, axis=1),
        )

    def _column(self) -> str:
        """The first token of each prompt: [batch, 1]."""
        return self._node("Gather", "tokens.first", "tokens", self._constant("first.column", [0]), axis=1)

    def _norm(self, at: str, weights: str, norm: Norm | None, x: str) -> str:
        """X over the root of its mean square, times w, plus b; x itself where there is no norm."""
        if norm is None:
            return x
        if norm.centred:
            mean = self._reduced("ReduceMean", f"{at}.mean", x)
            x = self._node("Sub", f"{at}.centred", x, mean)
        square = self._reduced("ReduceMean", f"{at}.square", self._node("Mul", f"{at}.squares", x, x))
        root = self._node(
            "Sqrt", f"{at}.root", self._node("Add", f"{at}.eps", square, self._number("eps", norm.eps))
        )
        scaled = self._node(
            "Mul", f"{at}.scaled", self._node("Div", f"{at}.divided", x, root), f"{weights}.w"
        )
        return self._node("Add", f"{at}.out", scaled, f"{weights}.b")

    def _last_of(self, x: str, name: str) -> str:
        """x[:, -1:]: only the last position is read out."""
        return self._node("Gather", name, x, self._constant("last", [-1]), axis=1)

    def _mask(self) -> None:
        """`future` [T, T]: which positions lie ahead of each; by their place in the prompt."""
        tokens = "tokens" if self.model.bos is None else "tokens.all"
        n = self._node("Squeeze", "T", self._node("Shape", "T.shape", tokens, start=1, end=2))
        places = self._node("Range", "place", self._constant("first", 0), n, self._constant("step", 1))
        here = self._node("Unsqueeze", "place.here", places, self._constant("axis.1", [1]))
        self._node("Greater", "future", places, here)

    def _attention(
        self, at: str, attention: Attention, x: str, read: str, context: str, *, masked: bool
    ) -> str:
        """X plus what every head adds to it, one head after the other."""
        out = ""
        for h in range(len(attention.W_Q)):
            head = f"{at}.head.{h}"
            q = self._node("MatMul", f"{head}.q", read, f"{at}.W_Q.{h}")
            k = self._node("MatMul", f"{head}.k", context, f"{at}.W_K.{h}")
            v = self._node("MatMul", f"{head}.v", context, f"{at}.W_V.{h}")
            if isinstance(attention, BiasedAttention):
                q, k, v = (
                    self._node("Add", f"{name}.biased", name, f"{at}.b_{name[-1].upper()}.{h}")
                    for name in (q, k, v)
                )
            turned = self._node("Transpose", f"{head}.k.T", k, perm=[0, 2, 1])
            scores = self._node("MatMul", f"{head}.scores", q, turned)
            if self.model.attn_scale != 1.0:
                scores = self._node(
                    "Mul", f"{head}.scores.scaled", scores, self._number("attn_scale", self.model.attn_scale)
                )
            if masked:
                unseen = self._number("minus_infinity", -np.inf)
                scores = self._node("Where", f"{head}.scores.seen", "future", unseen, scores)
            pattern = self._pattern(head, scores)
            z = self._node("MatMul", f"{head}.z", pattern, v)
            one = self._node("MatMul", f"{head}.out", z, f"{at}.W_O.{h}")
            out = self._node("Add", f"{head}.sum", out, one) if out else one
        if out and isinstance(attention, BiasedAttention):
            out = self._node("Add", f"{at}.biased", out, f"{at}.b_O")
        return self._node("Add", f"{at}.resid", x, out) if out else x

    def _pattern(self, head: str, scores: str) -> str:
        """Softmax in its own steps, exactly 0 where exp(-inf) stands; or uniform over the largest scores."""
        most = self._reduced("ReduceMax", f"{head}.scores.max", scores)
        if self.model.attention == "soft":
            below = self._node("Sub", f"{head}.scores.below", scores, most)
            weights = self._node("Exp", f"{head}.weights", below)
        else:
            number = {"float64": 11, "float32": 1}[self.dtype]  # of TensorProto's types
            largest = self._node("Equal", f"{head}.largest", scores, most)
            weights = self._node("Cast", f"{head}.weights", largest, to=number)
        total = self._reduced("ReduceSum", f"{head}.weights.sum", weights)
        return self._node("Div", f"{head}.pattern", weights, total)

    def _mlp(self, at: str, mlp: MLP, x: str, read: str) -> str:
        """X + ReLU(read W_in + b_in) W_out + b_out, in this order; or with GELU."""
        pre = self._node(
            "Add", f"{at}.pre", self._node("MatMul", f"{at}.in", read, f"{at}.W_in"), f"{at}.b_in"
        )
        shares = {GeluMLP: self._phi, GeluNewMLP: self._sigmoid}
        if (share := shares.get(type(mlp))) is not None:
            post = self._node("Mul", f"{at}.post", pre, share(f"{at}.share", pre))
        else:
            post = self._node("Relu", f"{at}.post", pre)
        out = self._node(
            "Add", f"{at}.out.biased", self._node("MatMul", f"{at}.out", post, f"{at}.W_out"), f"{at}.b_out"
        )
        return self._node("Add", f"{at}.resid", x, out)

    def _sigmoid(self, at: str, x: str) -> str:
        """1 / (1 + exp(-x (c_0 + c_1 x^2)))."""
        square = self._node("Mul", f"{at}.square", x, x)
        cubic = self._node("Mul", f"{at}.cubic", square, self._number("gelu_new.1", GELU_NEW[1]))
        both = self._node("Add", f"{at}.both", cubic, self._number("gelu_new.0", GELU_NEW[0]))
        exponent = self._node("Neg", f"{at}.negated", self._node("Mul", f"{at}.exponent", x, both))
        below = self._node("Exp", f"{at}.exp", exponent)
        one = self._number("one", 1.0)
        return self._node("Div", at, one, self._node("Add", f"{at}.sum", one, below))

    def _phi(self, at: str, x: str) -> str:
        """Phi as of `constructions.transformer.normal`: engines have no erf of doubles."""
        low, high = (self._number(f"phi.{name}", end) for name, end in (("low", -LAST), ("high", LAST)))
        steps = self._number("phi.steps", NODES_PER_UNIT)
        within = self._node("Clip", f"{at}.within", x, low, high)
        node = self._node("Round", f"{at}.node", self._node("Mul", f"{at}.steps", within, steps))
        step = self._node("Sub", f"{at}.step", within, self._node("Div", f"{at}.at", node, steps))
        moved = self._node("Add", f"{at}.moved", node, self._number("phi.nodes", LAST * NODES_PER_UNIT))
        row = self._node("Cast", f"{at}.row", moved, to=7)  # int64, of TensorProto's types
        at_node, *derivatives = (
            self._node(
                "Gather", f"{at}.{n}", self._constant(f"phi.{n}", encoded("phi", values, self.dtype)), row
            )
            for n, values in enumerate(phi_table())
        )
        total = ""
        for n, derivative in reversed([*enumerate(derivatives, start=1)]):
            added = self._node("Add", f"{at}.sum.{n}", total, derivative) if total else derivative
            total = self._node("Mul", f"{at}.term.{n}", added, step)
        found = self._node("Add", f"{at}.found", at_node, total)
        zero, one = self._number("phi.none", 0.0), self._number("one", 1.0)
        above = self._node("Where", f"{at}.high", self._node("Greater", f"{at}.above", x, high), one, found)
        return self._node("Where", at, self._node("Less", f"{at}.below", x, low), zero, above)

    def _node(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output, named like it."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def _reduced(self, kind: str, name: str, x: str) -> str:
        """One number for each vector along the last axis."""
        return self._node(kind, name, x, self._constant("axis.last", [-1]), keepdims=1)

    def _number(self, name: str, value: float) -> str:
        """The initializer of that name, a number of the model's dtype."""
        return self._constant(name, encoded(name, np.array(value), self.dtype))

    def _constant(self, name: str, value: Any) -> str:
        """The initializer of that name; whole numbers are int64."""
        if all(stored.name != name for stored in self.initializers):
            self._store(name, np.asarray(value))
        return name

    def _store(self, name: str, array: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(array, name))
