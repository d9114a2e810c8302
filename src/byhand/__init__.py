"""byhand: the gradients that people derive by hand, derived, explained, checked and compiled by one small engine."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byhand import distributed as distributed
    from byhand import functions as functions
    from byhand.audit.audit import audit as audit
    from byhand.check.check import check as check
    from byhand.check.gradient import check_gradient as check_gradient
    from byhand.derive.derivation import Derivation as Derivation
    from byhand.derive.derivation import derive as derive
    from byhand.errors import ByhandError as ByhandError
    from byhand.errors import CheckError as CheckError
    from byhand.errors import DataError as DataError
    from byhand.errors import MissingRuleError as MissingRuleError
    from byhand.errors import ParseError as ParseError
    from byhand.errors import ShapeError as ShapeError
    from byhand.expr.define import define as define
    from byhand.expr.evaluate import evaluate as evaluate
    from byhand.expr.expression import Expression as Expression
    from byhand.expr.parse import parse as parse
    from byhand.expr.trace import trace as trace
    from byhand.ingest.read_jax import from_jax as from_jax
    from byhand.ingest.read_torch import from_torch as from_torch
    from byhand.nets.mlp import MLP as MLP
    from byhand.nets.network import Network as Network
    from byhand.second.gauss_newton import gauss_newton_vp as gauss_newton_vp
    from byhand.second.hessian import hessian as hessian
    from byhand.second.jacobian import jacobian as jacobian
    from byhand.second.persample import per_sample as per_sample
    from byhand.second.products import hvp as hvp
    from byhand.second.products import jvp as jvp
    from byhand.second.products import vjp as vjp
    from byhand.train.classifier import MLPClassifier as MLPClassifier
    from byhand.train.flow import flow as flow
    from byhand.train.regressor import MLPRegressor as MLPRegressor
    from byhand.train.saving import load as load
    from byhand.train.tables import TableClassifier as TableClassifier
    from byhand.train.tables import TableEncoder as TableEncoder
    from byhand.train.tables import TableRegressor as TableRegressor

    __version__: str

_HOMES = {
    "byhand.derive.derivation": ("Derivation", "derive"),
    "byhand.errors": ("ByhandError", "CheckError", "DataError", "MissingRuleError", "ParseError", "ShapeError"),
    "byhand.expr.define": ("define",),
    "byhand.expr.evaluate": ("evaluate",),
    "byhand.expr.expression": ("Expression",),
    "byhand.expr.parse": ("parse",),
    "byhand.expr.trace": ("trace",),
    "byhand.ingest.read_jax": ("from_jax",),
    "byhand.ingest.read_torch": ("from_torch",),
    "byhand.nets.mlp": ("MLP",),
    "byhand.nets.network": ("Network",),
    "byhand.audit.audit": ("audit",),
    "byhand.check.check": ("check",),
    "byhand.check.gradient": ("check_gradient",),
    "byhand.train.classifier": ("MLPClassifier",),
    "byhand.train.flow": ("flow",),
    "byhand.train.regressor": ("MLPRegressor",),
    "byhand.train.saving": ("load",),
    "byhand.train.tables": ("TableClassifier", "TableEncoder", "TableRegressor"),
    "byhand.second.gauss_newton": ("gauss_newton_vp",),
    "byhand.second.hessian": ("hessian",),
    "byhand.second.jacobian": ("jacobian",),
    "byhand.second.persample": ("per_sample",),
    "byhand.second.products": (
        "hvp",
        "jvp",
        "vjp",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = ("distributed", "functions")
__all__ = [*_MODULES, *_HOME]


class _Surface(ModuleType):
    """Imports what is asked for when it is asked for: `byhand --help` needs no NumPy."""

    def __getattr__(self, name: str) -> Any:
        if name in _HOME:
            value = getattr(import_module(_HOME[name]), name)
        elif name in _MODULES:
            value = import_module(f"byhand.{name}")
        elif name == "__version__":
            value = import_module("importlib.metadata").version("byhand")
        else:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME and isinstance(value, ModuleType):
            return  # byhand.derive is the function; the folder of that name is there for imports only
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Surface
