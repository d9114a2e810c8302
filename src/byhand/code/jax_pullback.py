"""Derivations for JAX: a `jax.custom_vjp` function, its two halves, and the function of value and gradients."""

from __future__ import annotations

from byhand.code.jax import JaxWriter
from byhand.code.kernels import kernel_source
from byhand.code.layout import file_source, function_source, indented, signature, spread, title
from byhand.code.pullback import Pullback
from byhand.code.source import IMPORTS
from byhand.code.two_functions import TwoFunctions, two_functions, unpacked, value_and_gradients


def jax_pullback_source(pullback: Pullback, source: object = None) -> str:
    """The source of a derivation for JAX, ready to paste; the same whatever `source` was derived."""
    del source
    two = two_functions(pullback, JaxWriter, packed=True)
    both = value_and_gradients(
        two,
        [
            *spread(f"{two.value}, saved = forward(", two.inputs, ")", 1),
            *unpacked(two, f"backward(saved, jnp.ones_like({two.value}))", 1),
        ],
    )
    kernels = [kernel_source(k, "jnp") for k in two.kernels]
    return file_source(
        title(two.pullback.program), IMPORTS["jax"], [*kernels, two.forward, two.backward, _custom(two), both]
    )


def _custom(two: TwoFunctions) -> str:
    """The function that `jax.grad` differentiates by the derived backward."""
    head = ["@jax.custom_vjp", *signature("value", two.inputs)]
    words = f'"""{two.value}; its derivative is `backward`."""'
    function = function_source(head, [words, *spread("return forward(", two.inputs, ")[0]", 1)])
    if not two.underived:
        return f"{function}\n\n\nvalue.defvjp(forward, backward)"
    asked = " or ".join(f"{n}.perturbed" for n in two.underived)
    guarded = function_source(
        signature("guarded", two.inputs),
        [
            '"""`forward`, where no other gradients are asked for than were derived."""',
            f"if {asked}:",
            *indented(spread("raise NotImplementedError(", [f'"{two.refusal}"'], ")", 2)),
            *spread("return forward(", [f"{n}.value" for n in two.inputs], ")", 1),
        ],
    )
    return f"{function}\n\n\n{guarded}\n\n\nvalue.defvjp(guarded, backward, symbolic_zeros=True)"


__all__ = ["jax_pullback_source"]
