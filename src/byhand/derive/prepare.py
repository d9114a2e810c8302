"""Before the derivation: definitions in normal form, intermediates named, helpers (P, Y) ready to be recognised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from byhand.derive.naming import name_intermediates
from byhand.expr.expression import Expression, rebuild
from byhand.expr.nodes import Contraction, Expr, Named, Structured, Symbol, named, topological
from byhand.expr.operations import apply
from byhand.rules.effort import Effort
from byhand.rules.reuse import Fold
from byhand.rules.simplify import Simplifier

UNSAID = {"index pairs"}  # rewritings of how the arrays of Kronecker products are kept, which nobody typed


@dataclass
class Prepared:
    """A function ready to be derived.

    Attributes:
        root: the function; every named intermediate's body is in normal form.
        units: intermediates in order of computation.
        fold: body -> intermediate, helpers included.
        helpers: intermediates that the function does not need but gradients do: P = softmax(Z), Y = onehot(t).
        automatic: names given by byhand, not by the user.
        typed: definitions that identities rewrote, as they were typed, and these identities; by name, "" for the function.
    """

    root: Expr
    units: list[Named]
    fold: Fold
    helpers: list[Named] = field(default_factory=list)
    automatic: set[str] = field(default_factory=set)
    typed: dict[str, tuple[Expr, tuple[str, ...]]] = field(default_factory=dict)


def prepare(f: Expression, effort: Effort | None = None) -> Prepared:
    """Normalise the definitions of a function, with this effort at most, and name its intermediates."""
    effort = effort or Effort()
    users = {n.name for n in topological([f.root]) if isinstance(n, Named)}
    taken = {*f.symbols, *users, f.name, *f.dimension_names}
    typed: dict[str, tuple[Expr, tuple[str, ...]]] = {}
    root = name_intermediates(_normalised(f.root, Fold(), effort, typed=typed)[0], taken)
    prepared = _with_helpers(root, taken, users, effort, f.order)
    if is_root(prepared.root):  # 1/√(rᵀ M r) in its gradients is 1/f
        prepared.root = named(f.name, prepared.root)
        prepared.units.append(prepared.root)
        prepared.fold.add(prepared.root.body, prepared.root)
    final = {n.name: n for n in prepared.units}
    for name, (node, rules) in typed.items():
        if {*rules} <= UNSAID:
            continue
        inside: dict[Expr, Expr] = {
            n: final[n.name] for n in topological([node]) if isinstance(n, Named) and n.name in final
        }
        prepared.typed[name] = prepared.fold.written(_replaced(node, inside)), rules
    return prepared


def is_root(node: Expr) -> bool:
    """Whether a function is a root of something, which its gradients have in their denominators."""
    match node:
        case Contraction(_, ((base, (), power),), ()):
            return power.denominator > 1 and not isinstance(base, (Named, Symbol))
    return False


def as_prepared(f: Expression) -> Callable[[Expr], Expr]:
    """A node of a function as it stands among its definitions in normal form."""
    fold = Fold()
    done: dict[Expr, Expr] = {}
    effort = Effort()
    _normalised(f.root, fold, effort, done)
    return lambda node: Simplifier(fold=fold, effort=effort).normal(_replaced(node, done))


def _normalised(
    root: Expr,
    fold: Fold,
    effort: Effort,
    into: dict[Expr, Expr] | None = None,
    typed: dict[str, tuple[Expr, tuple[str, ...]]] | None = None,
) -> tuple[Expr, Fold]:
    """The expression with the body of each intermediate, and the root, in normal form.

    `into` gets what became of each; `typed` those that identities rewrote, by name, as they were, and the identities.
    """
    done: dict[Expr, Expr] = {} if into is None else into
    order = [n for n in topological([root]) if isinstance(n, Named)]
    for unit in order:
        simplifier = Simplifier(fold=fold, effort=effort)
        body = simplifier.normal(before := _replaced(unit.body, done))
        if typed is not None and simplifier.applied:
            typed[unit.name] = before, tuple(dict.fromkeys(simplifier.applied))
        new = named(unit.name, body)
        done[unit] = new
        if not isinstance(body, (Symbol, Named)):
            fold.add(body, new)
    simplifier = Simplifier(fold=fold, effort=effort)
    normal = simplifier.normal(before := _replaced(root, done))
    if typed is not None and simplifier.applied:
        typed[""] = before, tuple(dict.fromkeys(simplifier.applied))
    return normal, fold


def _replaced(root: Expr, done: dict[Expr, Expr]) -> Expr:
    """The expression with intermediates replaced, without entering their bodies."""
    memo: dict[Expr, Expr] = {}
    for node in topological([root], into_named=False):
        if isinstance(node, Named):
            memo[node] = done.get(node, node)
        else:
            memo[node] = node if all(memo[c] is c for c in node.children) else rebuild(node, memo)
    return memo[root]


def in_order(root: Expr, written: Sequence[str]) -> list[Named]:
    """The intermediates in order of computation, those that the author named in the author's order."""
    place = {name: k for k, name in enumerate(written)}
    named_by_user = [n for n in topological([root]) if isinstance(n, Named) and n.name in place]
    roots = [*sorted(named_by_user, key=lambda n: place[n.name]), root]  # what byhand named comes before its first use
    return [n for n in topological(roots) if isinstance(n, Named)]


def _with_helpers(
    root: Expr, taken: set[str], users: set[str], effort: Effort, written: Sequence[str] = ()
) -> Prepared:
    """Fresh names for softmax(Z) where a log-softmax or log-sum-exp will produce it, and for one-hot labels."""
    fold = Fold()
    for n in topological([root]):
        if isinstance(n, Named) and not isinstance(n.body, (Symbol, Named)):
            fold.add(n.body, n)
    used = {*taken, *(n.name for n in fold.values())}
    made: list[Named] = []
    for n in topological([root]):
        body, letter = _helper(n)
        if body is None or body in fold:
            continue
        name, k = letter, 1
        while name in used:
            k += 1
            name = f"{letter}{k}"
        used.add(name)
        made.append(named(name, body))
        fold.add(body, made[-1])
    root, fold = _normalised(root, Fold({h.body: h for h in made}), effort)
    units = in_order(root, written)
    automatic = {n.name for n in units if n.name not in users} | {h.name for h in made}
    return Prepared(root, units, fold, [h for h in made if h not in units], automatic)


def _helper(n: Expr) -> tuple[Expr | None, str]:
    if isinstance(n, Structured) and n.operation in ("log_softmax", "logsumexp"):
        (arg,) = n.args
        return apply("softmax", arg, attributes=n.attributes), "P" if arg.ndim > 1 else "p"
    if isinstance(n, Structured) and n.operation == "one_hot":
        return n, "Y" if n.ndim > 1 else "e"
    return None, ""


__all__ = ["Prepared", "prepare"]
