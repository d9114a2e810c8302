"""Recurrent cells and layers of PyTorch in nodes; a layer is written out, its length being a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from byhand.errors import ParseError
from byhand.expr.arrays import concatenate
from byhand.expr.contraction import transpose
from byhand.expr.dims import dim_value
from byhand.expr.indexing import getitem
from byhand.expr.nodes import Expr
from byhand.expr.surface import matmul, minus, multiply, plus
from byhand.expr.vocabulary import VOCABULARY as V
from byhand.ingest import meaning

if TYPE_CHECKING:
    from byhand.ingest.torch_rows import Call

LONGEST = 64  # steps that are written out
State = tuple[Expr, ...]


def _affine(x: Expr, w: Expr, b: Expr | None) -> Expr:
    y = matmul(x, transpose(w))
    return y if b is None else plus(y, b)


def _gates(c: Call, x: Expr, n: int) -> list[Expr]:
    size = dim_value(x.shape[-1], c.builder.sizes.of) // n
    return meaning.split(c.builder, x, [size] * n, -1)


def _step(c: Call, kind: str, x: Expr, state: State, w: Sequence[Expr | None]) -> State:
    """One step: the new state, the output first."""
    wi, wh, bi, bh = w
    assert wi is not None and wh is not None
    if kind in ("tanh", "relu"):
        return (V[kind](plus(_affine(x, wi, bi), _affine(state[0], wh, bh))),)
    if kind == "lstm":
        h, cell = state
        i, f, g, o = _gates(c, plus(_affine(x, wi, bi), _affine(h, wh, bh)), 4)
        cell = plus(multiply(V["sigmoid"](f), cell), multiply(V["sigmoid"](i), V["tanh"](g)))
        cell = c.local("cell", cell)
        return multiply(V["sigmoid"](o), V["tanh"](cell)), cell
    (h,) = state
    (ri, zi, ni), (rh, zh, nh) = _gates(c, _affine(x, wi, bi), 3), _gates(c, _affine(h, wh, bh), 3)
    r, z = V["sigmoid"](plus(ri, rh)), c.local("update", V["sigmoid"](plus(zi, zh)))
    n = c.local("candidate", V["tanh"](plus(ni, multiply(r, nh))))
    return (plus(multiply(minus(1, z), n), multiply(z, h)),)


def _weights(c: Call) -> list[Expr | None]:
    return [c.maybe(n) for n in ("w_ih", "w_hh", "b_ih", "b_hh")]


def rnn(kind: str) -> Callable[[Call], Expr]:
    """RNNCell."""
    return lambda c: _step(c, kind, c.e("input"), (c.e("hx"),), _weights(c))[0]


def lstm_cell(c: Call) -> list[Expr]:
    """LSTMCell: the output and the cell."""
    state = tuple(c.builder.expr(v) for v in c["hx"])
    return list(_step(c, "lstm", c.e("input"), state, _weights(c)))


def gru_cell(c: Call) -> Expr:
    """GRUCell."""
    return _step(c, "gru", c.e("input"), (c.e("hx"),), _weights(c))[0]


def layer(kind: str) -> Callable[[Call], list[Expr]]:
    """RNN, LSTM, GRU: layers and directions, step by step."""

    def row(c: Call) -> list[Expr]:
        if c["data"] is not None or c["batch_sizes"] is not None:
            raise c.refuse("packed sequences")
        if c["train"] and c["dropout"]:
            raise c.refuse("dropout between the layers, in training")
        x, first = c.e("input"), bool(c["batch_first"])
        axis = x.ndim - 2 if first or x.ndim == 2 else 0
        steps = x.shape[axis]
        if not isinstance(steps, int) or steps > LONGEST:
            raise ParseError(f"a loop over {steps} steps: give its length as a number of at most {LONGEST}")
        rows = [getitem(x, tuple(t if a == axis else slice(None) for a in range(x.ndim))) for t in range(steps)]
        given: Any = c["hx"]
        starts = [c.builder.expr(v) for v in (given if isinstance(given, (list, tuple)) else [given])]
        weights = [c.builder.expr(v) for v in c["params"]]
        each, directions = (4 if c["has_biases"] else 2), (2 if c["bidirectional"] else 1)
        finals: list[State] = []
        for level in range(int(c["num_layers"])):
            ways = []
            for way in range(directions):
                k = level * directions + way
                w: list[Expr | None] = [*weights[k * each : (k + 1) * each], None, None][:4]
                state: State = tuple(getitem(s, k) for s in starts)
                outs = []
                for r in reversed(rows) if way else rows:
                    state = _step(c, kind, r, state, w)
                    outs.append(state[0])
                finals.append(state)
                ways.append(outs[::-1] if way else outs)
            rows = [pair[0] if len(pair) == 1 else concatenate(list(pair), -1) for pair in zip(*ways, strict=True)]
        output = concatenate([getitem(r, (slice(None),) * axis + (None,)) for r in rows], axis)
        return [output, *(concatenate([getitem(f[k], None) for f in finals], 0) for k in range(len(starts)))]

    return row
