"""A network of any depth as code: one loop forward over its layers, one backward, each formula a function of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from byhand.code.function import _executed
from byhand.code.kernels import kernel_source
from byhand.code.layout import blocks, file_source, function_source, return_lines, signature, size_lines
from byhand.code.listing import list_derivation, list_expressions
from byhand.code.numpy import NumpyWriter
from byhand.code.source import IMPORTS, SECTIONS, fit
from byhand.code.statements import Listing
from byhand.derive.induction import Induction
from byhand.errors import ByhandError
from byhand.expr.expression import substitute
from byhand.expr.functions import ABSTRACT
from byhand.expr.nodes import Expr, Named, Symbol, symbol

FORWARD = """\
    H, Z = [{data}], []
    for k, weights in enumerate(W):
        Z.append(layer(H[k], weights{bias}))
        if k + 1 < len(W):
            H.append({activation})
"""
BACKWARD = """\
    {value}, D = loss_and_slope(Z[-1], {target})
    dW = [np.zeros_like(w) for w in W]
{offsets}    for k in reversed(range(len(W))):
        dW[k] = weight_gradient(D, H[k]){penalty}
{offset}        if k:
            D = below({arguments})
"""


def loop_source(d: Induction, target: str = "numpy") -> str:
    """Source of value_and_gradients(X, y, W, b): W and b are lists with one array for each layer.

    Raises: ByhandError: another target than NumPy.
    """
    if target != "numpy":
        raise ByhandError(
            f"a network of any depth has no code for {target!r}: loops over layers are written for NumPy",
            f'fix the depth: net.at(L=3).code("{target}")',
        )
    d = d.rows or d
    net, parts = d.net, d.parts
    abstract = net.activation in ABSTRACT
    h = symbol("H", parts["Z"].shape)
    below = parts.get("K", parts["Z"])
    formulas: dict[str, Expr] = {"weight_gradient": substitute(d.weight, {below: h})}
    if d.offset is not None:
        formulas["bias_gradient"] = d.offset
    step = d.step if abstract or not isinstance(below, Named) else substitute(d.step, {below: h})
    value = parts["Y"]
    assert isinstance(value, Named)
    order: dict[str, tuple[Expr, tuple[str, ...]]] = {"layer": (substitute(value.body, {below: h}), ("H", "W", "b"))}
    if isinstance(below, Named) and not abstract:
        order["activation"] = (below.body, ("Z",))
    order |= {name: (form, ("D", "H")) for name, form in formulas.items()}
    order["below"] = (step, ("D", "W", "S", "Z", "H"))
    kernels: set[str] = set()
    definitions = [_loss(d, kernels)]
    arguments: dict[str, list[str]] = {}
    for name, (form, wanted) in order.items():
        program = list_expressions({"result": form}, _inputs(form, wanted), formulas=False)
        arguments[name] = [s.name for s in program.inputs]
        definitions.append(_definition(replace(program, function=name), _TITLES[name], kernels))
    definitions.append(_main(d, arguments))
    body = [*(kernel_source(k, NumpyWriter.np) for k in sorted(kernels)), *definitions]
    title = "The loss of a network of any depth and its gradients; derived by induction and written by byhand."
    return file_source(title, IMPORTS["numpy"], body)


_TITLES = {
    "layer": "Z of a layer, from the values below it.",
    "activation": "The values of a hidden layer.",
    "weight_gradient": "The gradient with respect to W of a layer, D being that with respect to its Z.",
    "bias_gradient": "The gradient with respect to b of a layer.",
    "below": "The gradient with respect to Z one layer down.",
}


def _inputs(form: Expr, wanted: tuple[str, ...]) -> list[Symbol]:
    found = {s.name: s for s in _symbols(form)}
    return [found[n] for n in wanted if n in found]


def _symbols(form: Expr) -> list[Symbol]:
    from byhand.expr.nodes import symbols_of

    return symbols_of(form)


def _loss(d: Induction, kernels: set[str]) -> str:
    """The loss and Δ of the last layer."""
    program = list_derivation(d.head, formulas=False)
    w = NumpyWriter(program := fit(program, NumpyWriter))
    written = blocks(w, ([s for s in program.statements if s.section == section] for section in SECTIONS))
    (slope,) = program.results.values()
    lines = [
        '"""The loss and its gradient with respect to Z of the last layer."""',
        *size_lines(w, program.inputs),
        *written,
    ]
    kernels |= set(w.kernels)
    names = [program.names[s] for s in program.inputs]
    return function_source(signature("loss_and_slope", names), [*lines, "", f"return {program.value}, {slope}"])


def _definition(program: Listing, words: str, kernels: set[str]) -> str:
    """One formula as a function."""
    program = fit(program, NumpyWriter)
    w = NumpyWriter(program)
    written = blocks(w, ([s for s in program.statements if s.section == section] for section in SECTIONS))
    lines = [f'"""{words}"""', *size_lines(w, program.inputs), *written, "", *return_lines(program)]
    body = function_source(signature(program.function, [program.names[s] for s in program.inputs]), lines)
    kernels |= set(w.kernels)
    return body


def _main(d: Induction, arguments: dict[str, list[str]]) -> str:
    """Forward, the loss, backward."""
    net = d.net
    abstract, rate = net.activation in ABSTRACT, net.l2
    named = [net.data, net.target, "W", *(["b"] if net.bias else []), *([rate] if isinstance(rate, str) else [])]
    functions = [net.activation, f"{net.activation}_prime"] if abstract else []
    activation = f"{net.activation}(Z[k])" if abstract else "activation(Z[k])" if "activation" in arguments else "Z[k]"
    of = {"D": "D", "W": "W[k]", "Z": "Z[k - 1]", "H": "H[k]", "S": f"{net.activation}_prime(Z[k - 1])"}
    value = "J"
    forward = FORWARD.format(data=net.data, bias=", b[k]" if net.bias else "", activation=activation)
    backward = BACKWARD.format(
        value=value,
        target=net.target,
        offsets="    db = [np.zeros_like(c) for c in b]\n" if net.bias else "",
        penalty=f" + 2 * {rate} * W[k]" if rate else "",
        offset="        db[k] = bias_gradient(D)\n" if net.bias else "",
        arguments=", ".join(of[name] for name in arguments["below"]),
    )
    total = f"    J = J + {rate} * sum(np.sum(w * w) for w in W)\n" if rate else ""
    result = '{"W": dW, "b": db}' if net.bias else '{"W": dW}'
    lists = "W and b are" if net.bias else "W is"
    words = (
        f'    """The loss and its gradients; {lists} a list with one array for each layer, the first one first."""\n'
    )
    head = f"def value_and_gradients({', '.join([*named, *functions])}):\n"
    return f"{head}{words}{forward}{backward}{total}    return J, {result}"


def loop_function(d: Induction, target: str = "numpy") -> Callable[..., Any]:
    """The function of `loop_source`."""
    return _executed(loop_source(d, target), "value_and_gradients", [], "numpy")


__all__ = ["loop_function", "loop_source"]
