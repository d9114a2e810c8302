"""byhand: the gradients that people derive by hand, derived, explained, checked and compiled by one small engine."""

from byhand.derive.derivation import Derivation as Derivation
from byhand.derive.derivation import derive as derive
from byhand.errors import ByhandError as ByhandError
from byhand.errors import CheckError as CheckError
from byhand.errors import DataError as DataError
from byhand.errors import MissingRuleError as MissingRuleError
from byhand.errors import ParseError as ParseError
from byhand.errors import ShapeError as ShapeError
from byhand.expr.evaluate import evaluate as evaluate
from byhand.expr.expression import Expression as Expression
from byhand.expr.parse import parse as parse
