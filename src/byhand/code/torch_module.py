"""Networks for PyTorch: an `nn.Module` that holds the parameters and calls the generated functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.code.layout import INDENT, function_source, indented, signature, spread
from byhand.code.python import dim_code
from byhand.code.statements import Listing
from byhand.expr.dims import dim_names

if TYPE_CHECKING:
    from byhand.nets.mlp import MLP

# The rows of `nets.inits` that a network chooses by itself, as source for weights (m, n).
INITS = {
    "he": "torch.randn({m}, {n}) * math.sqrt(2 / {m})",
    "lecun": "torch.randn({m}, {n}) / math.sqrt({m})",
    "glorot": "(2 * torch.rand({m}, {n}) - 1) * math.sqrt(6 / ({m} + {n}))",
}


# A gradient that bypasses autograd bypasses the hooks of DistributedDataParallel too, silently: ranks would drift apart.
_ALONE = (
    "ranks = torch.distributed",
    "if ranks.is_available() and ranks.is_initialized() and ranks.get_world_size() > 1:",
    f'{INDENT}raise RuntimeError("this gradient is of one rank: forward(...).backward() under DDP is of all")',
)


def module_source(source: object, program: Listing) -> list[str]:
    """The module of a network whose parameters were all derived; nothing for an expression."""
    from byhand.nets.mlp import MLP

    if not isinstance(source, MLP) or {*source.parameters} != {*program.outputs}:
        return []
    return [_module(source, program)]


def _module(net: MLP, program: Listing) -> str:
    named = {s.name: program.names[s] for s in program.inputs}
    data = [named[n] for n in named if n not in net.parameters and n != net.l2]
    sizes = list(dict.fromkeys(n for d in net.sizes for n in sorted(dim_names(d))))
    lam = [net.l2] if isinstance(net.l2, str) else []
    values = [f"self.{n}" if n in net.parameters or n in lam else named[n] for n in named]
    parts = [
        "class Network(torch.nn.Module):",
        f'{INDENT}"""{_words(net)}"""',
        "",
        *_method(
            signature("__init__", ["self", *sizes, *lam]), ["super().__init__()", *_parameters(net), *_penalty(lam)]
        ),
        "",
        *_method(
            signature("forward", ["self", *data], 1),
            [f'"""{program.value} of a batch, for autograd."""', *spread("return value(", values, ")", 2)],
        ),
        "",
        *_method(
            signature("backward", ["self", *data], 1),
            [
                f'"""{program.value} of a batch; its gradients are added to .grad, without autograd: of this process alone."""',
                *_ALONE,
                *spread(f"{program.value}, gradients = value_and_gradients(", values, ")", 2),
                "for name, gradient in gradients.items():",
                f"{INDENT}parameter = getattr(self, name)",
                f"{INDENT}gradient = gradient.to(parameter.dtype)  # which autocast may have lowered",
                f"{INDENT}if parameter.requires_grad:",
                f"{INDENT * 2}parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)",
                f"return {program.value}",
            ],
        ),
    ]
    return "\n".join(parts)


def _words(net: MLP) -> str:
    sizes = "-".join(map(str, net.sizes))
    sizes = sizes if len(sizes) < 60 else f"{net.sizes[0]}-...-{net.sizes[-1]}"
    activations = " and ".join(dict.fromkeys(net.activations))
    return f"{sizes}{f', {activations}' if activations else ''}; the loss is {net.loss if len(net.loss) < 40 else 'given'}."


def _parameters(net: MLP) -> list[str]:
    from byhand.nets.inits import default_init

    lines = []
    for layer in net.layers:
        words = {"m": dim_code(layer.inputs, str).text, "n": dim_code(layer.outputs, str).text}
        for p in layer.parameters:
            zeros = f"torch.zeros({words['n']})"
            drawn = INITS[default_init(layer.activation)].format(**words) if p.role == "weight" else zeros
            lines.append(f"self.{p.name} = torch.nn.Parameter({drawn})")
    return lines


def _penalty(names: list[str]) -> list[str]:
    return [f'self.register_buffer("{n}", torch.tensor(float({n})))' for n in names]


def _method(head: list[str], lines: list[str]) -> list[str]:
    return indented(function_source(head, lines).split("\n"))


__all__ = ["INITS", "module_source"]
