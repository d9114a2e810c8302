"""Reading expressions with `ast` and a whitelist: never `eval`, bounded work, errors with line, column and a caret."""

from __future__ import annotations

import ast
import inspect
import textwrap
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from byhand.errors import ByhandError, ParseError, nearest
from byhand.expr.dims import Dimension
from byhand.expr.nodes import Expr
from byhand.expr.surface import OperandError, compare, divide, getitem, lift, matmul, multiply, negative, plus, power
from byhand.expr.contraction import add, scale
from byhand.expr.dims import MINUS_ONE, ONE
from byhand.expr.surface import broadcast, expand
from byhand.expr.vocabulary import VOCABULARY

LONGEST_TEXT, LONGEST_LINE, DEEPEST = 100_000, 5_000, 150
METHODS = ("sum", "mean", "trace", "dot", "transpose", "swapaxes")
MODULES = ("np", "numpy", "jnp", "torch")
_WRITE_INSTEAD = {"−": "-", "–": "-", "·": "*", "×": "*", "⊙": "*", "∘": "*", "ᵀ": ".T", "²": "**2", "³": "**3", "⊗": "kron(...)", "√": "sqrt(...)", "∑": "sum(...)", "Σ": "sum(...)"}  # fmt: skip
_COMPARISONS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
_PRODUCTS: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Expr]]] = {
    ast.Mult: ("*", multiply), ast.Div: ("/", divide), ast.MatMult: ("@", matmul), ast.Pow: ("**", power),
}  # fmt: skip


class Reader:
    """Reads one text; `names` maps what may stand in it (inputs, dimensions, functions) to values."""

    def __init__(self, source: str, names: Mapping[str, Any]) -> None:
        self.source = source
        self.lines = source.splitlines()
        self.names = dict(names)
        self.assigned: dict[str, int] = {}

    def fail(self, node: ast.AST, message: str, *details: str) -> NoReturn:
        raise ParseError(message, *details).at(self.source, *self.place(node))

    def place(self, node: ast.AST) -> tuple[int, int, int]:
        """Line, column and width of a node, counted in characters."""
        line = getattr(node, "lineno", 1)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        raw = text.encode()
        start = len(raw[: getattr(node, "col_offset", 0)].decode(errors="replace"))
        same_line = getattr(node, "end_lineno", line) == line
        end = len(raw[: node.end_col_offset].decode(errors="replace")) if same_line and hasattr(node, "end_col_offset") else len(text)
        return line, start + 1, max(1, end - start)

    def words(self, node: ast.AST) -> str:
        """The user's own text for a node."""
        segment = ast.get_source_segment(self.source, node) or "(...)"
        return segment if len(segment) <= 40 and "\n" not in segment else segment.split("\n")[0][:37] + "..."

    # ---- the forms

    def value(self, node: ast.AST, depth: int = 0) -> Any:
        """The value of an expression: a node, a number, a dimension, or a static argument (tuple, string, None)."""
        if depth > DEEPEST:
            self.fail(node, f"nested deeper than {DEEPEST}", "name an intermediate: Z = ... on a line of its own")
        try:
            match node:
                case ast.Constant(value):
                    return self.constant(node, value)
                case ast.Name(name):
                    return self.lookup(node, name)
                case ast.BinOp(op=ast.Add() | ast.Sub()):
                    return self.sum(node, depth)
                case ast.BinOp():
                    return self.product(node, depth)
                case ast.UnaryOp(ast.USub(), operand):
                    inner = self.value(operand, depth + 1)
                    return -inner if isinstance(inner, (int, float)) else negative(self.operand(operand, inner))
                case ast.UnaryOp(ast.UAdd(), operand):
                    return self.value(operand, depth + 1)
                case ast.Compare(left, [op], [right]) if type(op) in _COMPARISONS:
                    a, b = self.operand(left, self.value(left, depth + 1)), self.operand(right, self.value(right, depth + 1))
                    return self.located(node, [left, right], [a, b], lambda: compare(a, _COMPARISONS[type(op)], b))
                case ast.Compare():
                    self.fail(node, "one comparison at a time: >, <, >=, <=, ==, !=")
                case ast.Attribute(inner, "T"):
                    x = self.operand(inner, self.value(inner, depth + 1))
                    return x.T
                case ast.Attribute(ast.Name(module), name) if module in MODULES and module not in self.names:
                    return self.lookup(node, name)
                case ast.Attribute(ast.Attribute(ast.Name(module), "linalg" | "special" | "nn"), name) if module in MODULES:
                    return self.lookup(node, name)
                case ast.Attribute(_, name):
                    self.fail(node, f"no attribute .{name[:40]}: .T is the only one", "functions are called: sum(X), trace(X)")
                case ast.Call():
                    return self.call(node, depth)
                case ast.Subscript(inner, index):
                    x = self.operand(inner, self.value(inner, depth + 1))
                    at = self.index(index, depth + 1)
                    return self.located(node, [inner], [x], lambda: getitem(x, at))
                case ast.Tuple(elements) | ast.List(elements):
                    return tuple(self.value(e, depth + 1) for e in elements)
                case _:
                    self.fail(node, f"{_FORMS.get(type(node).__name__, 'this')} cannot stand in an expression")
        except ByhandError as error:
            raise error.at(self.source, *self.place(node)) from None

    def constant(self, node: ast.AST, value: object) -> Any:
        if value is None or isinstance(value, (bool, str)) or value is Ellipsis:
            return value
        if isinstance(value, (int, float)):
            lift(value)  # refuses what float64 cannot hold
            return value
        self.fail(node, f"{type(value).__name__} literals cannot stand in an expression")

    def lookup(self, node: ast.AST, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        known = [*self.names]
        if name.startswith("_"):
            self.fail(node, f"{name[:40]} is not a name of the expression language")
        self.fail(node, f"unknown name {name[:40]}{nearest(name, known)}", "give it a shape, or define it on a line above")

    def operand(self, node: ast.AST, value: Any) -> Expr:
        """A value as a node; strings, tuples and functions are no operands."""
        if callable(value) and not isinstance(value, Expr):
            self.fail(node, f"{self.words(node)} is a function: call it")
        if value is None or isinstance(value, (str, tuple, bool)) and not isinstance(value, Dimension):
            self.fail(node, f"{self.words(node)} is not an array or a number")
        return lift(value)

    def located(self, node: ast.AST, parts: list[ast.expr], operands: list[Any], make: Callable[[], Any]) -> Any:
        """The result of an operation; a shape error is restated in the user's words, with a caret under the last operand."""
        try:
            return make()
        except OperandError as error:
            texts = {id(o): self.words(p) for o, p in zip(operands, parts, strict=False)}
            bracketed = {
                id(o): f"({texts[id(o)]})" if isinstance(p, (ast.BinOp, ast.UnaryOp, ast.Compare)) else texts[id(o)]
                for o, p in zip(operands, parts, strict=False)
            }
            if error.source is None and all(id(o) in texts for o in error.operands):
                error.restate([bracketed[id(o)] for o in error.operands])
                culprit = next((p for o, p in zip(operands[::-1], parts[::-1], strict=False) if o is error.operands[-1]), node)
                raise error.at(self.source, *self.place(culprit)) from None
            raise error.at(self.source, *self.place(node)) from None

    def spine(self, node: ast.BinOp, kinds: tuple[type[ast.operator], ...]) -> list[tuple[ast.operator | None, ast.expr]]:
        """A chain a op b op c of left-associative operators, without recursion."""
        chain: list[tuple[ast.operator | None, ast.expr]] = []
        current: ast.expr = node
        while isinstance(current, ast.BinOp) and isinstance(current.op, kinds):
            chain.append((current.op, current.right))
            current = current.left
        return [(None, current), *reversed(chain)]

    def sum(self, node: ast.BinOp, depth: int) -> Expr:
        parts = self.spine(node, (ast.Add, ast.Sub))
        shape: tuple[Any, ...] = ()
        terms: list[tuple[bool, Expr]] = []
        so_far: ast.expr = parts[0][1]
        running: Expr | None = None
        for op, part in parts:
            x = self.operand(part, self.value(part, depth + 1))
            if running is not None:
                template = "{0} - {1}" if isinstance(op, ast.Sub) else "{0} + {1}"
                pair = [running, x]
                _, shape = self.located(node, [so_far, part], pair, lambda pair=pair, t=template: broadcast(pair, t))
                running = expand(running, shape) if x.ndim > running.ndim or running.shape != shape else running
            else:
                running, shape = x, x.shape
            terms.append((isinstance(op, ast.Sub), x))
        return add(*(scale(MINUS_ONE if minus else ONE, expand(x, shape)) for minus, x in terms))

    def product(self, node: ast.BinOp, depth: int) -> Expr:
        if isinstance(node.op, ast.Pow):
            parts: list[tuple[ast.operator | None, ast.expr]] = [(None, node.left), (node.op, node.right)]
        else:
            parts = self.spine(node, (ast.Mult, ast.Div, ast.MatMult))
        result: Expr | None = None
        for k, (op, part) in enumerate(parts):
            x = self.operand(part, self.value(part, depth + 1))
            if result is None:
                result = x
                continue
            if type(op) not in _PRODUCTS:
                self.fail(node, "operators are + - * / ** @")
            _, apply = _PRODUCTS[type(op)]  # type: ignore[index]
            left = node if k == len(parts) - 1 else None
            first = node.left if left is not None else parts[0][1]
            pair = [result, x]
            result = self.located(node, [first, part], pair, lambda pair=pair, apply=apply: apply(*pair))
        assert result is not None
        return result

    def call(self, node: ast.Call, depth: int) -> Any:
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            self.fail(node, "* and ** arguments cannot stand in an expression")
        parts = list(node.args)
        is_module = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id in MODULES
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS and not is_module:
            function, name = VOCABULARY[node.func.attr], node.func.attr
            parts.insert(0, node.func.value)
        elif isinstance(node.func, (ast.Name, ast.Attribute)):
            function, name = self.value(node.func, depth + 1), self.words(node.func)
        else:
            self.fail(node, "only functions of the expression language can be called")
        if not callable(function) or isinstance(function, Expr):
            self.fail(node.func, f"{name} is not a function", "write * for a product")
        args = [self.value(a, depth + 1) for a in parts]
        keywords = {str(k.arg): self.value(k.value, depth + 1) for k in node.keywords}
        try:
            inspect.signature(function).bind(*args, **keywords)
        except TypeError as error:
            self.fail(node, f"{name}{_signature(function)}: {error}")
        for part, value in zip(parts, args, strict=True):
            if callable(value) and not isinstance(value, Expr):
                self.fail(part, f"{self.words(part)} is a function: call it")
        return self.located(node, parts, args, lambda: self.static_checked(node, name, function, args, keywords))

    def static_checked(self, node: ast.AST, name: str, function: Any, args: list[Any], keywords: dict[str, Any]) -> Any:
        try:
            return function(*args, **keywords)
        except (TypeError, AttributeError, ValueError, IndexError) as error:  # a string or tuple where an array belongs
            self.fail(node, f"{name}{_signature(function)}: these arguments do not fit ({error})")

    def index(self, node: ast.AST, depth: int) -> Any:
        match node:
            case ast.Slice(lower, upper, step):
                return slice(*(None if p is None else self.value(p, depth + 1) for p in (lower, upper, step)))
            case ast.Tuple(elements):
                return tuple(self.index(e, depth + 1) for e in elements)
            case _:
                return self.value(node, depth)


def _signature(function: Callable[..., Any]) -> str:
    parameters = inspect.signature(function).parameters.values()
    return "(" + ", ".join(f"{'*' if p.kind is p.VAR_POSITIONAL else ''}{p.name}" + ("" if p.default is p.empty else f"={p.default}") for p in parameters) + ")"


_FORMS = {
    "Lambda": "lambda", "ListComp": "a comprehension", "GeneratorExp": "a comprehension", "SetComp": "a comprehension",
    "DictComp": "a comprehension", "NamedExpr": ":=", "JoinedStr": "an f-string", "IfExp": "if ... else (use where)",
    "BoolOp": "and, or", "UnaryOp": "not, ~", "Starred": "*", "Dict": "a dict", "Set": "a set", "Await": "await", "Yield": "yield",
}  # fmt: skip


def tidy_source(text: str) -> str:
    """The text without common indentation, refused where it is too long or has characters that are not read.

    Raises: ParseError: with the place of the first such character.
    """
    if not isinstance(text, str):
        raise ParseError(f"an expression is a string, not a {type(text).__name__}")
    if len(text) > LONGEST_TEXT:
        raise ParseError(f"the text is longer than {LONGEST_TEXT} characters").at(text[:200].replace("\n", " "), 1, 1)
    text = textwrap.dedent(text).strip("\n")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_LINE:
            raise ParseError(f"a line longer than {LONGEST_LINE} characters").at(text, number, 1)
        if line.isascii() and line.isprintable():
            continue
        for column, c in enumerate(line, 1):
            if not (c.isascii() and (c.isprintable() or c == "\t")) and not ("α" <= c <= "ω" or c in "ΓΔΘΛΞΠΦΨΩ"):
                instead = f"write {_WRITE_INSTEAD[c]}" if c in _WRITE_INSTEAD else "names are ASCII or Greek letters"
                shown = c if c.isprintable() else f"U+{ord(c):04X}"
                raise ParseError(f"the character {shown} cannot stand in an expression: {instead}").at(_one_line(text), number, column)
    return text


def _one_line(text: str) -> str:
    return "\n".join(text.split("\n"))


def parse_tree(source: str) -> ast.Module:
    """The syntax tree of a tidied text.

    Raises: ParseError: it is not Python syntax; with the place.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        line, column = max(1, error.lineno or 1), max(1, error.offset or 1)
        raise ParseError(f"not an expression: {error.msg}").at(source, min(line, source.count("\n") + 1), column) from None
    except (RecursionError, MemoryError):
        raise ParseError(f"nested deeper than {DEEPEST}", "name an intermediate: Z = ... on a line of its own").at(source, 1, 1) from None
    except (ValueError, OverflowError) as error:
        raise ParseError(f"not an expression: {error}").at(source, 1, 1) from None
