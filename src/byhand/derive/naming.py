"""Names for the intermediates of an expression whose user gave none, as a person would: r, Z, H, P."""

from __future__ import annotations

from byhand.derive.pieces import in_pieces
from byhand.expr.expression import name_nodes
from byhand.expr.functions import MASKS
from byhand.expr.indexmaps import is_map
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol, topological
from byhand.expr.operations import CONSTANTS, PICKERS
from byhand.rules.differentials import DIFFERENTIALS

_KEPT_INLINE = frozenset({"log", "exp", "abs", "sign", *MASKS, "sin", "cos", "log1p"})
_DEEPEST = 12  # levels of nameless nesting before a name is given
_MOST_TERMS = 16  # terms of a differential that a further rule multiplies before a name is given


def name_intermediates(root: Expr, taken: set[str]) -> Expr:
    """The expression with its residuals, pre-activations, activations and probabilities named; long products in pieces."""
    root, pieces = in_pieces(root)
    order = topological([root])
    users: dict[Expr, list[Expr]] = {}
    for node in order:
        for child in set(node.children):
            users.setdefault(child, []).append(node)
    wanted: dict[Expr, str] = {}
    depth: dict[Expr, int] = {}
    terms: dict[Expr, int] = {}
    for node in order:
        terms[node] = sum(_times(node, c) * (1 if c in wanted else terms[c]) for c in node.children) or 1
        depth[node] = 1 + max((0 if c in wanted else depth[c] for c in node.children), default=0)
        if (
            node is root
            or not node.children
            or isinstance(node, Named)
            or any(isinstance(u, Named) for u in users.get(node, []))
        ):
            if isinstance(node, Named):
                depth[node], terms[node] = 0, 1
            continue
        letter = _letter(node, users.get(node, []), wanted) or (
            "T" if depth[node] >= _DEEPEST or node in pieces or _multiplied(node, terms[node], users) else None
        )
        if letter and not _is_view(node):
            wanted[node] = letter.lower() if node.ndim < 2 else letter
    return name_nodes(root, _numbered(wanted, taken))


def _letter(node: Expr, users: list[Expr], wanted: dict[Expr, str]) -> str | None:
    count = sum(_occurrences(node, u) for u in users)
    match node:
        case _ if not node.ndim:
            pass
        case Structured("softmax"):
            return "P"
        case Contraction() if any(map(is_map, node.children)) and any(map(_takes_the_largest, users)):
            return "U"
        case Structured("inv"):
            return "M"
        case Structured(operation) if operation in PICKERS | CONSTANTS:
            return None
        case Sum(terms) if any(c.value < 0 for c, _ in terms) and (count > 1 or any(_squared(node, u) for u in users)):
            return "R"
        case Elementwise(function, arg) if function not in _KEPT_INLINE and not isinstance(arg, Symbol):
            if count > 1 or any(isinstance(u, Contraction) and len(u.factors) == 2 for u in users):
                return "P" if function == "sigmoid" else "H"
    if node.ndim and _is_product(node) and any(map(_is_activation, users)):
        return "Z"
    if count > 1 and _is_costly(node):
        return ("s", "u", "Z" if _is_product(node) else "T")[min(node.ndim, 2)]
    return None


def _times(user: Expr, child: Expr) -> int:
    """In how many terms the differential of a child stands in that of a node: 2 in that of log-softmax."""
    if not isinstance(user, Structured) or user.operation not in DIFFERENTIALS:
        return 1
    rule = DIFFERENTIALS[user.operation]
    variables = [v for v, arg in zip(rule.variables, user.args, strict=True) if arg is child]
    return sum(rule.right.count(f"d({v})") for v in variables)


def _multiplied(node: Expr, terms: int, users: dict[Expr, list[Expr]]) -> bool:
    """Whether a rule would multiply the terms of a differential that are many already."""
    return terms >= _MOST_TERMS and any(_times(user, node) > 1 for user in users.get(node, []))


def _is_activation(user: Expr) -> bool:
    """Whether a node is what a pre-activation is passed to."""
    match user:
        case Elementwise(function):
            return function not in ("log", *MASKS)
        case Structured(operation):
            return operation in ("softmax", "log_softmax", "logsumexp")
        case _:
            return False


def _takes_the_largest(node: Expr) -> bool:
    """Whether it asks for the largest entries over axes, which its text can name of a named array only."""
    return isinstance(node, Structured) and node.operation in ("max", "winner", "argmax")


def _is_costly(node: Expr) -> bool:
    """Whether a subexpression that occurs twice is worth a name: it is more than a function of a name."""
    match node:
        case Contraction():
            return len(node.factors) > 1 or any(abs(p) != 1 for _, _, p in node.factors)
        case Elementwise(_, arg):
            return not isinstance(arg, (Symbol, Named))
        case Structured(operation):
            return operation not in PICKERS | CONSTANTS
        case _:
            return isinstance(node, Sum)


def _is_product(node: Expr) -> bool:
    """Whether a matrix product is in it: a pre-activation."""
    if isinstance(node, Sum):
        return any(_is_product(t) for _, t in node.terms)
    return isinstance(node, Contraction) and any(x not in node.out for _, ls, _ in node.factors for x in ls)


def _is_view(node: Expr) -> bool:
    return isinstance(node, Contraction) and len([1 for _, ls, _ in node.factors if ls]) <= 1


def _occurrences(node: Expr, user: Expr) -> int:
    return sum(f is node for f, _, _ in user.factors) if isinstance(user, Contraction) else 1


def _squared(node: Expr, user: Expr) -> bool:
    return isinstance(user, Contraction) and any(f is node and p == 2 for f, _, p in user.factors)


def _numbered(wanted: dict[Expr, str], taken: set[str]) -> dict[Expr, str]:
    """P alone, or Z1, Z2, ... in order; never a name that is taken."""
    groups: dict[str, list[Expr]] = {}
    for node, letter in wanted.items():
        groups.setdefault(letter, []).append(node)
    used, names = set(taken), {}
    for letter, nodes in groups.items():
        for k, node in enumerate(nodes, 1):
            name = letter if len(nodes) == 1 and letter not in used else f"{letter}{k}"
            while name in used:
                k += 1
                name = f"{letter}{k}"
            used.add(name)
            names[node] = name
    return names
