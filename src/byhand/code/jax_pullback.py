"""Derivations for JAX: a `jax.custom_vjp` function, its two halves, and the function of value and gradients."""

from __future__ import annotations

from byhand.code.jax import JaxWriter
from byhand.code.kernels import kernel_source
from byhand.code.layout import INDENT, file_source, function_source, signature, title
from byhand.code.pullback import Pullback
from byhand.code.source import IMPORTS
from byhand.code.two_functions import TwoFunctions, two_functions, unpacked, value_and_gradients


def jax_pullback_source(pullback: Pullback) -> str:
    """The source of a derivation for JAX, ready to paste."""
    two = two_functions(pullback, JaxWriter, packed=True)
    both = value_and_gradients(
        two,
        [
            f"{two.value}, saved = forward({', '.join(two.inputs)})",
            unpacked(two, f"backward(saved, jnp.ones_like({two.value}))"),
        ],
    )
    kernels = [kernel_source(k, "jnp") for k in two.kernels]
    return file_source(
        title(two.pullback.program), IMPORTS["jax"], [*kernels, two.forward, two.backward, _custom(two), both]
    )


def _custom(two: TwoFunctions) -> str:
    """The function that `jax.grad` differentiates by the derived backward."""
    names = ", ".join(two.inputs)
    head = ["@jax.custom_vjp", *signature("value", two.inputs)]
    words = f'"""{two.value}; its derivative is `backward`."""'
    function = function_source(head, [words, f"return forward({names})[0]"])
    if not two.underived:
        return f"{function}\n\n\nvalue.defvjp(forward, backward)"
    asked = " or ".join(f"{n}.perturbed" for n in two.underived)
    message = f"no gradient with respect to {' and '.join(two.underived)} was derived"
    guarded = function_source(
        signature("guarded", two.inputs),
        [
            f'"""`forward`, where nothing but {", ".join(two.derived)} is differentiated with respect to."""',
            f"if {asked}:",
            f'{INDENT}raise NotImplementedError("{message}")',
            f"return forward({', '.join(f'{n}.value' for n in two.inputs)})",
        ],
    )
    return f"{function}\n\n\n{guarded}\n\n\nvalue.defvjp(guarded, backward, symbolic_zeros=True)"


__all__ = ["jax_pullback_source"]
