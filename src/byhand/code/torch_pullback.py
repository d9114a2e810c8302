"""Derivations for PyTorch: a `torch.autograd.Function` around two plain functions, and for networks an `nn.Module`."""

from __future__ import annotations

from dataclasses import replace

from byhand.code.kernels import kernel_source
from byhand.code.layout import INDENT, file_source, function_source, indented, signature, spread, title, tuple_lines
from byhand.code.pullback import Pullback
from byhand.code.source import IMPORTS
from byhand.code.torch import TorchWriter
from byhand.code.torch_idioms import with_idioms
from byhand.code.torch_module import module_source
from byhand.code.two_functions import TwoFunctions, two_functions, unpacked, value_and_gradients


def torch_pullback_source(pullback: Pullback, source: object = None) -> str:
    """The source of a derivation for PyTorch, ready to paste.

    Args:
        pullback: what is printed.
        source: what was derived: a network gets a module.
    """
    pullback = replace(pullback, program=with_idioms(pullback.program))
    two = two_functions(pullback, TorchWriter, packed=False)
    both = value_and_gradients(
        two,
        [
            "with torch.no_grad():",
            *indented(spread(f"{two.value}, saved = forward(", two.inputs, ")", 2)),
            *indented(unpacked(two, f"backward(torch.ones_like({two.value}), *saved)", 2)),
        ],
    )
    call = function_source(
        signature("value", two.inputs),
        [
            f'"""{two.value}; autograd differentiates it by `backward`."""',
            f"return Value.apply({', '.join(two.inputs)})",
        ],
    )
    kernels = [kernel_source(k, "torch") for k in two.kernels]
    module = module_source(source, two.pullback.program)
    definitions = [*kernels, two.forward, two.backward, both, _function(two), call, *module]
    return file_source(title(two.pullback.program), IMPORTS["torch"], definitions)


def _function(two: TwoFunctions) -> str:
    """The class that autograd calls."""
    others = [n for n in two.inputs if n not in two.saved]
    whole = [n for n in two.saved if n in two.inputs]
    refused = [(k, n) for k, n in enumerate(two.inputs) if n in two.underived]
    forward = []
    if refused:
        asked = " or ".join(f"ctx.needs_input_grad[{k}]" for k, _ in refused)
        forward = [
            f"if {asked}:",
            *indented(spread("raise NotImplementedError(", [f'"{two.refusal}"'], ")", 3)),
        ]
    program = two.pullback.program
    first = max(program.inputs, key=lambda s: ("labels" not in s.assumptions, s.ndim > 0))
    forward += [
        *spread(f"{two.value}, saved = forward(", two.inputs, ")", 2),
        *(["# beside what is saved, what second derivatives need"] if others else []),
        *spread("ctx.save_for_backward(", ["*saved", *others], ")", 2),
        f"device = {program.names[first]}.device.type",
        "ctx.precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None",
        f"return {two.value}",
    ]
    again = [
        *(tuple_lines("", ["*saved", *others], " = ctx.saved_tensors", 2) if others else ["saved = ctx.saved_tensors"]),
        "if torch.is_grad_enabled():  # for a second derivative: what was saved has no graph, so it is computed again",
        *(indented(tuple_lines("", [*whole, "*_"], " = saved", 3)) if whole else []),
        *indented(spread("_, saved = forward(", two.inputs, ")", 3)),
    ]
    backward = [
        *again,
        "if ctx.precision is None:",
        f"{INDENT}return backward({two.upstream}, *saved)",
        f"with torch.autocast({two.upstream}.device.type, ctx.precision):",
        f"{INDENT}return backward({two.upstream}, *saved)",
    ]
    parts = [
        "class Value(torch.autograd.Function):",
        f'{INDENT}"""{two.value} for autograd: one node for the whole function."""',
        "",
        f"{INDENT}@staticmethod",
        *indented(function_source(signature("forward", ["ctx", *two.inputs], 1), forward).split("\n")),
        "",
        f"{INDENT}@staticmethod",
        *indented(function_source(signature("backward", ["ctx", two.upstream]), backward).split("\n")),
    ]
    return "\n".join(parts)


__all__ = ["torch_pullback_source"]
