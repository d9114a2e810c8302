"""Lines of a program, `code: ...`: run on NumPy arrays where floating-point numbers misbehave; never with `eval`.

An equation is compared, an inequality must hold at every point; logarithms must survive logits far apart, differences
must move their argument, comparisons of gradients must see signs.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from byhand.audit.report import Line
from byhand.audit.spelling import NAME, Text, sides
from byhand.audit.state import SEEDS, State
from byhand.errors import ParseError
from byhand.expr import numeric
from byhand.expr.functions import FUNCTIONS
from byhand.expr.source import parse_tree, tidy

Array = Any
GAP = {"float64": 1000.0, "float32": 104.0}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.MatMult: operator.matmul, ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt, ast.Lt: operator.lt, ast.GtE: operator.ge, ast.LtE: operator.le,
    ast.NotEq: operator.ne, ast.Eq: operator.eq,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: row.numpy for name, row in FUNCTIONS.items()},
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "sqrt": np.sqrt, "norm": np.linalg.norm,
    "softmax": numeric.softmax,
    "log_softmax": numeric.log_softmax, "logsumexp": numeric.logsumexp, "allclose": np.allclose, "diag": np.diag,
}  # fmt: skip


def check_code(state: State, number: int, raw: str) -> Line:
    """One line of a program."""
    body = raw.split("code:", 1)[1].split("#")[0].strip()
    precision = re.search(r"\s+in (float32|float64)$", body)
    kind = precision[1] if precision else "float64"
    body = body[: precision.start()] if precision else body
    point = re.search(r"\s+at (.*)$", body)
    body = body[: point.start()] if point else body
    given = {n: float(v) for n, v in re.findall(rf"({NAME})\s*=\s*([-+\d.eE]+)", point[1])} if point else {}
    text = re.sub(rf"^\s*{NAME}\s*=(?!=)\s*", "", body) if re.match(rf"^\s*{NAME}\s*=(?!=)", body) else body
    trees = [_tree(str(side)) for side in sides(Text(tuple((c, k + 1) for k, c in enumerate(text))))]
    found = _logarithm(trees, kind) or _closeness(trees) or _difference(trees, given, kind)
    if found is not None:
        return Line(number, raw, False, (found[0],), found[1], found[2], "code")
    for seed in range(SEEDS):
        names = {**_arrays(state, " ".join(ast.unparse(t) for t in trees), seed), **given}
        with np.errstate(all="ignore"):
            values = [np.asarray(_run(t, names)) for t in trees]
        if len(values) == 1 and values[0].dtype == bool and not np.all(values[0]):
            return Line(number, raw, False, ("N",), "it does not hold at a random point", what="code")
        for v in values[1:]:
            if v.shape != values[0].shape:
                return Line(
                    number, raw, False, ("T",), f"the sides have shapes {values[0].shape} and {v.shape}", what="code"
                )
            if not np.allclose(values[0], v, rtol=1e-8, atol=0.0):
                k = int(np.argmax(np.abs(values[0] - v)))
                return Line(
                    number,
                    raw,
                    False,
                    ("N",),
                    f"not true: {values[0].ravel()[k]:.6g} and {v.ravel()[k]:.6g}",
                    what="code",
                )
    return Line(number, raw, True, what="code")


def _tree(text: str) -> ast.expr:
    body = parse_tree(tidy(text.strip() or " ")).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise ParseError("one expression is expected after `code:`").at(text or " ", 1, 1)
    return body[0].value


def _arrays(state: State, text: str, seed: int) -> dict[str, Array]:
    """The declared and defined arrays, and true gradients, by name."""
    env = state.environment(seed)
    found: dict[str, Array] = dict(env.sizes)
    for name in dict.fromkeys(re.findall(NAME, text)):
        if name in state.inputs or name in state.nodes:
            found[name] = np.asarray(env[state.lookup(name)])
        elif name.startswith("d") and (name[1:] in state.inputs or name[1:] in state.nodes) and state.loss:
            found[name] = state.gradient(state.loss, name[1:], seed)
    return found


def _run(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """The value of an expression of arrays."""
    match node:
        case ast.Constant(value) if isinstance(value, (int, float)):
            return value
        case ast.Name(name):
            if name not in names:
                raise ParseError(
                    f"unknown name {name}", f"declare it, `{name}: (m, n)`, or give it a value: ... at {name} = 1"
                )
            return names[name]
        case ast.UnaryOp(ast.USub(), operand):
            return -_run(operand, names)
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            return _BINARY[type(op)](_run(left, names), _run(right, names))
        case ast.Compare(left, [op], [right]) if type(op) in _COMPARE:
            return _COMPARE[type(op)](_run(left, names), _run(right, names))
        case ast.Attribute(inner, "T"):
            return np.asarray(_run(inner, names)).T
        case ast.Call(ast.Name(name), args, keywords) if name in _FUNCTIONS:
            return _FUNCTIONS[name](
                *(np.asarray(_run(a, names)) if k == 0 else _run(a, names) for k, a in enumerate(args)),
                **{str(k.arg): _run(k.value, names) for k in keywords},
            )
        case _:
            raise ParseError(f"this cannot stand in a line of code: {ast.unparse(node)[:40]}")


Found = tuple[str, str, str] | None


def _logarithm(trees: list[ast.expr], kind: str) -> Found:
    """log(softmax(Z)): run with logits far apart."""
    for t in trees:
        for node in ast.walk(t):
            match node:
                case ast.Call(ast.Name("log"), [ast.Call(ast.Name("softmax"), args)]):
                    z = np.array([[0.0, GAP[kind]]], dtype=kind)
                    with np.errstate(all="ignore"):
                        value = np.log(np.asarray(numeric.softmax(z), dtype=kind))
                    if not np.all(np.isfinite(value)):
                        inner = ast.unparse(args[0])
                        return (
                            "M",
                            f"with logits {GAP[kind]:g} apart softmax is 0 in {kind} and its logarithm {value[0, 0]:g}",
                            f"log_softmax({inner}), or {inner} - logsumexp({inner})",
                        )
    return None


def _closeness(trees: list[ast.expr]) -> Found:
    """allclose without atol: run on small numbers of opposite signs."""
    for t in trees:
        for node in ast.walk(t):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "allclose"
                and "atol" not in {k.arg for k in node.keywords}
            ):
                g = np.full(3, 3e-9)
                options = {str(k.arg): float(_run(k.value, {})) for k in node.keywords}
                if np.allclose(g, -g, rtol=options.get("rtol", 1e-5)):
                    return (
                        "M",
                        "the default atol of 1e-8 accepts gradients of 3e-9 with the wrong sign",
                        "allclose(..., atol=1e-8*max(abs(t))), or compare norms",
                    )
    return None


def _difference(trees: list[ast.expr], given: Mapping[str, float], kind: str) -> Found:
    """(f(x + h) - f(x - h))/(2*h): does x move, and is f smooth within the step?"""
    for t in trees:
        match t:
            case ast.BinOp(
                ast.BinOp(
                    ast.Call(ast.Name(f), [ast.BinOp(ast.Name(x), ast.Add(), step)]),
                    ast.Sub(),
                    ast.Call(ast.Name(g), [ast.BinOp(ast.Name(y), ast.Sub(), _)]),
                ),
                ast.Div(),
                _,
            ) if f == g and x == y:
                h, at = float(_run(step, given)), given.get(x, 4.0)
                number = np.dtype(kind).type
                if number(at) + number(h) == number(at):
                    return (
                        "M",
                        f"in {kind} {at:g} + {h:g} is {at:g}: the difference is zero whatever {f} is",
                        "h = 6e-6 * max(1, |x|) in float64",
                    )
                kinks = FUNCTIONS[f].kinks if f in FUNCTIONS else ()
                for k in kinks:
                    if abs(at - k) < h:
                        value = float(_run(t, given))
                        return (
                            "H",
                            f"{f} has a kink at {k:g}, within the step: the difference gives {value:.3g}",
                            "take h smaller than the distance to the kink, or a complex step",
                        )
    return None
