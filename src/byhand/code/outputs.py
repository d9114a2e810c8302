"""1[Z > 0] as 1[H > 0] where H = relu(Z): the output is kept, and Z is needed no longer."""

from __future__ import annotations

from byhand.code.forms import mapped
from byhand.code.program import Statement, leaf_form, with_form
from byhand.expr.nodes import Expr
from byhand.rules.forms import Form

SIGN_KEEPING = frozenset({"relu", "leaky_relu", "elu", "selu"})  # positive where their argument is


def by_outputs(statements: list[Statement]) -> list[Statement]:
    """The statements with masks of arguments as masks of outputs."""
    outputs: dict[Expr, Form] = {}

    def change(form: Form) -> Form:
        step = form.kind == "mask" or (form.kind == "function" and form.data == "step")
        if not step or form.args[0].kind != "name" or form.args[0].data not in outputs:
            return form
        return Form(form.kind, (outputs[form.args[0].data],), form.data, form.rank)

    done = []
    for s in statements:
        done.append(with_form(s, mapped(s.form, change)))
        f = s.form
        if f.kind == "function" and f.data in SIGN_KEEPING and f.args[0].kind == "name" and s.result is None:
            outputs[f.args[0].data] = leaf_form(s.leaf)
    return done


__all__ = ["by_outputs"]
