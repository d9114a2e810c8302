"""One-symbol changes of an expression of the rule tables."""

import ast
import copy

OPERATORS = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,), ast.MatMult: (ast.Mult,),
}  # fmt: skip
COMMUTE = (ast.Add, ast.Mult)
FUNCTIONS = {
    "tanh": ("sin", "sigmoid"), "sigmoid": ("tanh", "softplus"), "exp": ("cosh", "expm1"), "sin": ("cos", "tanh"),
    "cos": ("sin",), "cosh": ("sinh", "exp"), "sinh": ("cosh",), "sqrt": ("square",), "step": ("sign", "relu"),
    "sign": ("step", "abs"), "log": ("exp", "log1p"), "hard_tanh": ("tanh", "sign"), "normal_pdf": ("normal_cdf",),
    "normal_cdf": ("normal_pdf", "sigmoid"), "abs": ("relu",), "relu": ("abs",), "softmax": ("log_softmax",),
    "log_softmax": ("softmax",), "logsumexp": ("sum",), "sum": ("mean",), "trace": ("sum",), "inner": ("outer",),
    "eye": ("ones",), "ones": ("zeros",), "zeros": ("ones",), "det": ("logdet",), "logdet": ("det",),
}  # fmt: skip


def mutants(text, variables):
    """Every text that differs in one symbol: a sign, an operator, a number, a name, a function, a transpose."""
    tree = ast.parse(text, mode="eval").body
    found = dict.fromkeys(
        ast.unparse(ast.fix_missing_locations(_with(tree, path, new)))
        for path, node in _paths(tree)
        for new in _changes(node, variables)
    )
    return [m for m in found if m != ast.unparse(tree)]


def _paths(node, path=()):
    yield path, node
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.Call) and name == "func":
            continue
        for key, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.expr):
                yield from _paths(child, (*path, (name, key)))


def _with(tree, path, new):
    if not path:
        return new
    result = copy.deepcopy(tree)
    node = result
    for name, key in path[:-1]:
        node = getattr(node, name) if key is None else getattr(node, name)[key]
    name, key = path[-1]
    if key is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[key] = new
    return result


def _changes(node, variables):
    match node:
        case ast.BinOp(left, op, right):
            for other in OPERATORS.get(type(op), ()):
                yield ast.BinOp(left, other(), right)
            yield left
            yield right
            if not isinstance(op, COMMUTE):
                yield ast.BinOp(right, op, left)
        case ast.UnaryOp(ast.USub(), operand):
            yield operand
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            yield ast.Constant(value + 1)
            if value:
                yield ast.Constant(2 * value)
                yield ast.UnaryOp(ast.USub(), ast.Constant(value))
        case ast.Constant(str() as spec) if "->" in spec:
            yield ast.Constant(spec[:-1] + spec[0])
            inputs, out = spec.split("->")
            yield ast.Constant(f"{inputs}->{out[::-1]}")
            yield ast.Constant(f"{','.join(reversed(inputs.split(',')))}->{out}")
        case ast.Name(name) if name in variables:
            for other in variables:
                if other != name:
                    yield ast.Name(other)
            yield ast.UnaryOp(ast.USub(), node)
            if name.isupper():
                yield ast.Attribute(node, "T")
        case ast.Attribute(value, "T"):
            yield value
        case ast.Call(ast.Name(function), args):
            for other in FUNCTIONS.get(function, ()):
                yield ast.Call(ast.Name(other), args, [])
            if args and function != "d":
                yield args[0]
            if function == "d":
                yield ast.BinOp(ast.Constant(2), ast.Mult(), node)
            if function in ("outer", "where", "power", "ones", "zeros") and len(args) > 1:
                yield ast.Call(node.func, [args[1], args[0], *args[2:]], [])
            if function == "inv":
                yield ast.Attribute(node, "T")
        case ast.Tuple(elements) if len(elements) > 1:
            yield ast.Tuple([*elements[1:], elements[0]])
