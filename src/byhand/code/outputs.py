"""1[Z > 0] as 1[H > 0] where H = relu(Z): the output is kept, and Z is needed no longer."""

from __future__ import annotations

from byhand.code.forms import mapped, rebuilt
from byhand.code.program import Statement, leaf_form, with_form
from byhand.rules.forms import Form

SIGN_KEEPING = frozenset({"relu", "leaky_relu", "elu", "selu"})  # positive where their argument is


def by_outputs(statements: list[Statement]) -> list[Statement]:
    """The statements, masks of arguments in the backward part as masks of outputs."""
    outputs = {
        s.form.args[0]: leaf_form(s.leaf)
        for s in statements
        if s.section == "forward" and s.form.kind == "function" and s.form.data in SIGN_KEEPING
    }

    def change(form: Form) -> Form:
        decides = form.kind in ("mask", "function") and form.data == "step"
        return rebuilt(form, (outputs[form.args[0]],)) if decides and form.args[0] in outputs else form

    return [with_form(s, mapped(s.form, change)) if s.section == "backward" else s for s in statements]


__all__ = ["SIGN_KEEPING", "by_outputs"]
