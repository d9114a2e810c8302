"""Reading expressions with `ast` and a whitelist: never `eval`, bounded work, errors with line, column and a caret."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from byhand.errors import ByhandError, ParseError, ShapeError, nearest
from byhand.expr.contraction import combine
from byhand.expr.dims import MINUS_ONE, ONE, Dimension, floor_divide, show_shape
from byhand.expr.elsewhere import meant
from byhand.expr.indexing import getitem
from byhand.expr.nodes import Expr, Named, Symbol, symbols_of, topological
from byhand.expr.operands import dimension_of, lift, sketch
from byhand.expr.protocol import MODULE_FUNCTIONS
from byhand.expr.source import Source
from byhand.expr.source import parse_tree as parse_tree
from byhand.expr.surface import broadcast, broadcast_shape, compare, divide, expand, matmul, multiply, negative, power
from byhand.expr.vocabulary import VOCABULARY, both, either, inf, opposite, pi

DEEPEST, LONGEST_PRODUCT = 100, 100
METHODS = (
    "sum", "mean", "trace", "dot", "transpose", "swapaxes", "reshape", "max", "min", "argmax", "var", "std", "cumsum", "clip",
)  # fmt: skip
MODULES = ("np", "numpy", "jnp", "torch", "scipy")
SUBMODULES = ("linalg", "special", "nn", "functional")
_COMPARISONS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
_PRODUCTS: dict[type[ast.operator], Callable[[Any, Any], Expr]] = {
    ast.Mult: multiply, ast.Div: divide, ast.MatMult: matmul, ast.Pow: power,
}  # fmt: skip
_MASKS: dict[type[ast.operator], Callable[[Any, Any], Expr]] = {ast.BitAnd: both, ast.BitOr: either}
_NOT_OPERATORS = {ast.BitXor: ("^", "write ** for a power"), ast.Mod: ("%", "")}
_FORMS = {
    "Lambda": "lambda", "ListComp": "a comprehension", "GeneratorExp": "a comprehension", "SetComp": "a comprehension",
    "DictComp": "a comprehension", "NamedExpr": ":=", "JoinedStr": "an f-string", "IfExp": "if ... else (use where)",
    "BoolOp": "and, or", "UnaryOp": "not", "Starred": "*", "Dict": "a dict", "Set": "a set", "Await": "await",
    "Yield": "yield", "YieldFrom": "yield", "Slice": "a slice",
}  # fmt: skip


class Reader:
    """Reads one text; `names` maps what may stand in it (inputs, dimensions, functions) to values."""

    def __init__(self, source: Source | str, names: Mapping[str, Any]) -> None:
        self.source = source if isinstance(source, Source) else Source(source)
        self.names = dict(names)
        self.forms: dict[type[ast.AST], Callable[[Any, int], Any]] = {
            ast.Constant: self.constant, ast.Name: self.name, ast.BinOp: self.binary, ast.UnaryOp: self.unary,
            ast.Compare: self.comparison, ast.Attribute: self.attribute, ast.Call: self.call,
            ast.Subscript: self.subscript, ast.Tuple: self.sequence, ast.List: self.sequence,
        }  # fmt: skip

    def fail(self, node: ast.AST, message: str, *details: str) -> NoReturn:
        """A ParseError at a node."""
        raise self.source.locate(ParseError(message, *(d for d in details if d)), node)

    def value(self, node: ast.AST, depth: int = 0) -> Any:
        """The value of an expression: a node, a number, a dimension, or a static argument (tuple, string, None)."""
        if depth > DEEPEST:
            self.fail(node, f"nested deeper than {DEEPEST}", "name an intermediate: Z = ... on a line of its own")
        form = self.forms.get(type(node))
        if form is None:
            self.fail(node, f"{_FORMS.get(type(node).__name__, 'this')} cannot stand in an expression")
        try:
            return form(node, depth)
        except ByhandError as error:
            raise self.source.locate(error, node) from None

    def node(self, node: ast.AST, depth: int = 0) -> Expr:
        """The value of an expression as a node; strings, tuples and functions are no operands."""
        return self.operand(node, self.value(node, depth))

    def operand(self, node: ast.AST, value: Any) -> Expr:
        """A value that was read at a node as a node of the graph."""
        if isinstance(value, Expr):
            return value
        if callable(value):
            self.fail(node, f"{self.source.words(node)} is a function: call it")
        if not isinstance(value, (int, float, Dimension)) or isinstance(value, bool):
            self.fail(node, f"{self.source.words(node)} is not an array or a number")
        try:
            return lift(value)
        except ByhandError as error:
            raise self.source.locate(error, node) from None

    def restated(
        self, error: ShapeError, node: ast.AST, parts: Sequence[ast.AST], operands: Sequence[Any]
    ) -> ByhandError:
        """A shape error in the user's words, with a caret under the operand that does not fit."""
        places: list[tuple[Expr, ast.AST]] = []
        for part, operand in zip(parts, operands, strict=True):
            several = isinstance(operand, tuple) and isinstance(part, (ast.Tuple, ast.List))
            for p, o in zip(part.elts, operand, strict=True) if several else ((part, operand),):  # type: ignore[attr-defined]
                if isinstance(o, (Expr, Dimension, int, float)) and not isinstance(o, bool) and not _infinite(o):
                    places.append((lift(o), p))
        if error.source is None and not error.operands:
            error.operands = tuple(o for o, _ in places)
            return self.source.locate(error, node)
        if error.source is not None:
            return self.source.locate(error, node)
        words, compound, found = [], [], []
        for operand in error.operands:
            found.append([p for o, p in places if o is operand])
            first = found[-1][0] if found[-1] else None
            words.append(self.source.words(first) if first is not None else sketch(operand))  # type: ignore[arg-type]
            compound.append(isinstance(first, (ast.BinOp, ast.UnaryOp, ast.Compare)))
        error.restate(words, compound)
        culprits = found[error.culprit] or [node]
        return self.source.locate(error, culprits[-1 if error.culprit else 0])

    # ---- the forms

    def constant(self, node: ast.Constant, depth: int) -> Any:
        value = node.value
        if value is None or isinstance(value, (bool, str)) or value is Ellipsis:
            return value
        if isinstance(value, (int, float)):
            lift(value)  # refuses what float64 cannot hold
            return value
        self.fail(node, f"{type(value).__name__} literals cannot stand in an expression")

    def name(self, node: ast.Name, depth: int) -> Any:
        if node.id in self.names:
            return self.names[node.id]
        shown = node.id[:40]
        if node.id.startswith("_"):
            self.fail(node, f"{shown} is not a name of the expression language")
        if node.id in MODULES:
            self.fail(node, f"{shown} is a module: {shown}.exp(X), or just exp(X)")
        near = nearest(node.id, [*self.names])
        self.fail(node, f"unknown name {shown}{near}", f"give {shown} a shape, or define it on a line above")

    def unary(self, node: ast.UnaryOp, depth: int) -> Any:
        if isinstance(node.op, ast.Invert):
            return opposite(self.node(node.operand, depth + 1))
        if not isinstance(node.op, (ast.USub, ast.UAdd)):
            self.fail(node, "not cannot stand in an expression", "write ~ for the opposite of a mask")
        inner = self.value(node.operand, depth + 1)
        if isinstance(inner, (int, float)) and not isinstance(inner, bool):
            return -inner if isinstance(node.op, ast.USub) else inner
        x = self.operand(node.operand, inner)
        return negative(x) if isinstance(node.op, ast.USub) else x

    def comparison(self, node: ast.Compare, depth: int) -> Expr:
        symbol = _COMPARISONS.get(type(node.ops[0]))
        if len(node.ops) > 1 or symbol is None:
            self.fail(node, "one comparison at a time: >, <, >=, <=, ==, !=")
        a, b = self.node(node.left, depth + 1), self.node(node.comparators[0], depth + 1)
        try:
            return compare(a, symbol, b)
        except ShapeError as error:
            raise self.restated(error, node, [node.left, node.comparators[0]], [a, b]) from None

    def attribute(self, node: ast.Attribute, depth: int) -> Any:
        if node.attr == "T" and not self.is_module(node.value):
            return self.node(node.value, depth + 1).T
        if node.attr == "shape" and not self.is_module(node.value):
            return self.node(node.value, depth + 1).shape
        if self.is_module(node.value):
            return self.module_function(node)
        known = ", ".join(f".{m}()" for m in METHODS)
        self.fail(node, f"no attribute .{node.attr[:40]}: there are .T, {known}", "functions are called: exp(X)")

    def module_function(self, node: ast.Attribute) -> Any:
        if node.attr in MODULE_FUNCTIONS:
            return MODULE_FUNCTIONS[node.attr]
        if node.attr in ("pi", "inf"):
            return pi if node.attr == "pi" else inf
        self.fail(node, f"unknown function {self.source.words(node)}{meant(node.attr, list(MODULE_FUNCTIONS))}")

    def is_module(self, node: ast.AST) -> bool:
        """np, np.linalg, ...: not an input of that name."""
        if isinstance(node, ast.Attribute) and node.attr in SUBMODULES:
            return self.is_module(node.value)
        return isinstance(node, ast.Name) and node.id in MODULES and node.id not in self.names

    def subscript(self, node: ast.Subscript, depth: int) -> Any:
        found, at = self.value(node.value, depth + 1), self.index(node.slice, depth + 1)
        if isinstance(found, tuple):  # of a shape
            return self.item(node, found, at)
        x = self.operand(node.value, found)
        parts: list[ast.AST] = [node.value, node.slice]
        operands: list[Any] = [x, at]
        if isinstance(node.slice, ast.Tuple):
            parts, operands = [node.value, *node.slice.elts], [x, *at]
        try:
            return getitem(x, at)
        except ShapeError as error:
            raise self.restated(error, node, parts, operands) from None

    def item(self, node: ast.AST, found: tuple[Any, ...], at: Any) -> Any:
        """An entry of a tuple, or several: X.shape[-1], W.shape[2:]."""
        if isinstance(at, slice) and all(b is None or type(b) is int for b in (at.start, at.stop, at.step)):
            return found[at]
        if type(at) is not int or not -len(found) <= at < len(found):
            self.fail(node, f"there are {len(found)} entries: the index is an integer from 0 to {len(found) - 1}")
        return found[at]

    def index(self, node: ast.AST, depth: int) -> Any:
        match node:
            case ast.Slice(lower, upper, step):
                return slice(*(None if p is None else self.value(p, depth + 1) for p in (lower, upper, step)))
            case ast.Tuple(elements):
                return tuple(self.index(e, depth + 1) for e in elements)
            case _:
                return self.value(node, depth)

    def sequence(self, node: ast.Tuple | ast.List, depth: int) -> tuple[Any, ...]:
        return tuple(self.value(e, depth + 1) for e in node.elts)

    # ---- operators: chains of left-associative ones without recursion

    def binary(self, node: ast.BinOp, depth: int) -> Any:
        if isinstance(node.op, ast.FloorDiv):
            return self.whole_part(node, depth)
        if type(node.op) in _MASKS:
            return _MASKS[type(node.op)](self.node(node.left, depth + 1), self.node(node.right, depth + 1))
        if isinstance(node.op, ast.Pow):
            return self.product([node], depth)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            return self.sum(_chain(node, (ast.Add, ast.Sub)), depth)
        if type(node.op) not in _PRODUCTS:
            symbol, remedy = _NOT_OPERATORS.get(type(node.op), ("this operator", ""))
            self.fail(node, f"{symbol} cannot stand in an expression: operators are + - * / ** @", remedy)
        return self.product(_chain(node, (ast.Mult, ast.Div, ast.MatMult)), depth)

    def whole_part(self, node: ast.BinOp, depth: int) -> Any:
        """The whole part of a quotient of dimensions."""
        a, b = (dimension_of(self.node(side, depth + 1)) for side in (node.left, node.right))
        if a is None or b is None or b == 0:
            self.fail(node, "// is for dimensions: (L - 1)//2")
        return floor_divide(a, b)

    def sum(self, chain: list[ast.BinOp], depth: int) -> Expr:
        first = self.node(chain[0].left, depth + 1)
        shape, terms = first.shape, [(ONE, first)]
        for node in chain:
            x = self.node(node.right, depth + 1)
            if x.shape != shape:
                joint = broadcast_shape([shape, x.shape])
                if joint is None:
                    so_far = combine((c, expand(t, shape)) for c, t in terms)
                    try:
                        broadcast([so_far, x], "{0} - {1}" if isinstance(node.op, ast.Sub) else "{0} + {1}")
                    except ShapeError as error:
                        raise self.restated(error, node, [node.left, node.right], [so_far, x]) from None
                shape = joint or shape
            terms.append((MINUS_ONE if isinstance(node.op, ast.Sub) else ONE, x))
        return combine((c, expand(t, shape)) for c, t in terms)

    def product(self, chain: list[ast.BinOp], depth: int) -> Expr:
        if len(chain) > LONGEST_PRODUCT:
            message = f"a product of more than {LONGEST_PRODUCT} factors"
            self.fail(chain[-1], message, "name an intermediate: Z = ... on a line of its own")
        result = self.node(chain[0].left, depth + 1)
        for node in chain:
            x = self.node(node.right, depth + 1)
            try:
                result = _PRODUCTS[type(node.op)](result, x)
            except ShapeError as error:
                raise self.restated(error, node, [node.left, node.right], [result, x]) from None
            except ByhandError as error:
                raise self.source.locate(error, node.right) from None
        return result

    # ---- calls

    def gradient(self, node: ast.Call, depth: int) -> Expr:
        """grad(f, x): the gradient of a scalar with respect to an input, as an expression."""
        if len(node.args) != 2 or node.keywords:
            self.fail(node, "grad takes a scalar and an input: grad(f, X)")
        f, x = (self.node(a, depth + 1) for a in node.args)
        if not isinstance(x, Symbol):
            self.fail(node.args[1], f"{self.source.words(node.args[1])} is no input: grad(f, X)")
        if f.ndim:
            message = f"grad is of a scalar; {self.source.words(node.args[0])} is {show_shape(f.shape)}"
            self.fail(node.args[0], message, "sum it first")
        return gradient_node(f, x)

    def call(self, node: ast.Call, depth: int) -> Any:
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            self.fail(node, "* and ** arguments cannot stand in an expression")
        parts: list[ast.expr] = list(node.args)
        match node.func:
            case ast.Name("grad") if "grad" not in self.names:
                return self.gradient(node, depth)
            case ast.Attribute(inner, method) if method in METHODS and not self.is_module(inner):
                function, name = VOCABULARY[method], method
                parts.insert(0, inner)
            case ast.Name(name) if name not in self.names and not name.startswith("_") and name not in MODULES:
                functions = [n for n, v in self.names.items() if callable(v)]
                self.fail(node.func, f"unknown function {name[:40]}{meant(name, functions)}")
            case ast.Name() | ast.Attribute():
                function, name = self.value(node.func, depth + 1), self.source.words(node.func)
            case _:
                self.fail(node, "only functions of the expression language can be called")
        if not callable(function):
            self.fail(node.func, f"{name} is not a function", f"write * for a product: {name} * (...)")
        if isinstance(node.func, ast.Name) and function in (VOCABULARY["max"], VOCABULARY["min"]):
            self.one_array(node, name)
        args = [self.value(a, depth + 1) for a in parts]
        keywords = {str(k.arg): self.value(k.value, depth + 1) for k in node.keywords}
        for part, value in zip(parts, args, strict=True):
            if callable(value):
                self.fail(part, f"{self.source.words(part)} is a function: call it")
        try:
            signature(function).bind(*args, **keywords)
        except TypeError as error:
            self.fail(node, f"{name}: {error}", f"it is called as {name}{show_signature(function)}")
        try:
            return function(*args, **keywords)
        except ShapeError as error:
            raise self.restated(error, node, parts, args) from None
        except (
            TypeError,
            AttributeError,
            ValueError,
            IndexError,
        ) as error:  # a string or a tuple where an array belongs
            self.fail(node, f"{name}{show_signature(function)}: these arguments do not fit ({str(error)[:100]})")

    def one_array(self, node: ast.Call, name: str) -> None:
        """Refuses max(Z, 0): in Python it is the larger of two, in NumPy the largest over an axis. A tuple is axes."""
        second = node.args[1] if len(node.args) > 1 else None
        known = self.names.get(second.id) if isinstance(second, ast.Name) else None
        axes = known is not None and not isinstance(known, (Expr, Dimension))  # the axis of a rule
        if second is not None and not isinstance(second, ast.Tuple) and not axes:
            words = self.source.words(second)
            axis = words if words.lstrip("-").isdecimal() else "0"
            self.fail(
                node,
                f"{name}(..., {words}): did you mean `{name}imum`?",
                f"{name}imum(..., {words}) is of two, entry by entry; {name}(..., axis={axis}) is over an axis",
            )


def gradient_node(f: Expr, x: Symbol) -> Expr:
    """The gradient of a scalar node, in terms of its inputs and of the names in it."""
    from byhand.derive.derivation import derive  # a later room, needed where a text asks for a derivative
    from byhand.expr.expression import Expression, unfold

    own = {n for n in topological([f]) if isinstance(n, Named)}
    root = derive(
        Expression(f, tuple(symbols_of(f)) if x in symbols_of(f) else (*symbols_of(f), x)), x.name
    ).gradient.root
    return unfold(root, [n for n in topological([root]) if isinstance(n, Named) and n not in own])


def _infinite(x: object) -> bool:
    return isinstance(x, float) and abs(x) == inf


def _chain(node: ast.BinOp, kinds: tuple[type[ast.operator], ...]) -> list[ast.BinOp]:
    """a op b op c, from the left."""
    chain = [node]
    while isinstance(chain[-1].left, ast.BinOp) and isinstance(chain[-1].left.op, kinds):
        chain.append(chain[-1].left)
    return chain[::-1]


@lru_cache(maxsize=256)
def signature(function: Callable[..., Any]) -> inspect.Signature:
    """The parameters of a function of the vocabulary."""
    return inspect.signature(function)


def show_signature(function: Callable[..., Any]) -> str:
    """(x, axis=None)."""

    def shown(p: inspect.Parameter) -> str:
        return f"{'*' * (p.kind is p.VAR_POSITIONAL)}{p.name}" + ("" if p.default is p.empty else f"={p.default}")

    return f"({', '.join(map(shown, signature(function).parameters.values()))})"
