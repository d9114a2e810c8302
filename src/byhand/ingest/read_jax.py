"""`from_jax`: the jaxpr of a function, primitive by primitive, as an expression."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from byhand.errors import ByhandError, ParseError
from byhand.expr.dims import Shape
from byhand.expr.expression import Expression
from byhand.expr.functions import FUNCTIONS
from byhand.expr.indexing import getitem
from byhand.expr.nodes import Expr
from byhand.expr.parse import Assumptions, Shapes, declare
from byhand.expr.vocabulary import VOCABULARY
from byhand.ingest.builder import Builder, Reading, Value, is_labels, is_symbolic, names_of
from byhand.ingest.jax_rows import PRIMITIVES, Call
from byhand.ingest.libraries import library
from byhand.ingest.places import Place
from byhand.ingest.proof import prove
from byhand.ingest.sizes import Sizes, read_shapes

LONGEST_LOOP = 128  # steps that are written out
_CALLS = frozenset({
    "jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint", "custom_jvp_call", "custom_vjp_call",
    "custom_vjp_call_jaxpr",
})  # fmt: skip
_SAMPLES = np.array([-9.3, -3.1, -1.7, -0.9, -0.3, 0.2, 0.7, 1.4, 2.6, 5.9, 11.3])


def from_jax(
    function: Callable[..., Any], shapes: Shapes, assume: Assumptions | None = None, *, strict: bool = True
) -> Expression:
    """Read a function of JAX.

    The function is traced, not run: a loop whose length is a number is written out, one over a named dimension is refused.
    What is read is compared with the function at other sizes.

    Args:
        function: of arrays; its arguments are the inputs.
        shapes: argument -> its dimensions, as in `byhand.parse`.
        assume: argument -> declared properties; one used as an index is `labels`, declared or not.
        strict: whether an operation without a row is an error.
    Returns: the expression; local variables of the source are its intermediates, `.sources` says where they stand.
    Raises: MissingRuleError: a primitive has no row; the message names it and its line. ParseError: the function cannot be
        traced, or what was read is not the function.
    """
    jax = library("jax")
    if not callable(function):
        raise ParseError(f"from_jax needs a function, not a {type(function).__name__}")
    if not isinstance(shapes, Mapping):
        raise ParseError("shapes is a dict: {'X': 'm n'}")
    inputs = read_shapes(shapes)
    declare(shapes, {} if assume is None else assume)
    call, names = _ordered(function, inputs)
    with _double(jax):
        for integers in _choices(list(shapes), {} if assume is None else assume):
            declared = {**({} if assume is None else assume), **dict.fromkeys(integers, "labels")}
            read = partial(_read, jax, call, names, inputs, declared, strict)
            try:
                first = read(0)
            except ByhandError:
                raise
            except Exception as error:  # the user's function may raise anything
                failed = error
                continue
            return prove(
                first,
                lambda values: np.asarray(call(*(values[n] for n in names))),
                partial(read, 1),
                "the function of JAX",
            )
    told = f"{type(failed).__name__}: {(str(failed).splitlines() or [''])[0]}"
    raise ParseError(f"{_name(function)} cannot be traced with these shapes: {told}") from failed


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


@contextmanager
def _double(jax: Any) -> Iterator[None]:
    """Numbers as they are written: literals of float32 are not those of the source."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _choices(names: Sequence[str], assume: Assumptions) -> Iterator[tuple[str, ...]]:
    """Which inputs may be integers that nobody declared: none, one, two."""
    free = [n for n in names if n not in assume]
    for k in range(3):
        yield from combinations(free, k)


def _ordered(function: Callable[..., Any], inputs: Mapping[str, Shape]) -> tuple[Callable[..., Any], list[str]]:
    """The function of its inputs in order."""
    names = list(inputs)
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return function, names
    kinds = {p.kind for p in known.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds or all(
        n in known and known[n].kind is not inspect.Parameter.POSITIONAL_ONLY for n in names
    ):
        missing = [
            n for n, p in known.items()
            if n not in inputs and p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        ]  # fmt: skip
        if missing:
            raise ParseError(f"no shape for {', '.join(missing)} of {_name(function)}", "'' is a scalar")
        return lambda *arrays: function(**dict(zip(names, arrays, strict=True))), names
    return function, names


def _read(
    jax: Any,
    call: Callable[..., Any],
    names: Sequence[str],
    shapes: Mapping[str, Shape],
    assume: Assumptions,
    strict: bool,
    which: int,
) -> Reading:
    symbols = declare(shapes, assume)
    sizes = Sizes(shapes, None, which)
    kinds = {n: "int64" if "labels" in symbols[n].assumptions else "float64" for n in names}
    given = [jax.ShapeDtypeStruct(sizes.concrete(shapes[n]), kinds[n]) for n in names]
    closed = jax.make_jaxpr(call)(*given)
    if len(closed.jaxpr.outvars) != 1:
        raise ParseError(f"the function returns {len(closed.jaxpr.outvars)} arrays", "return one array or one number")
    reader = _Reader(jax, Builder("JAX", sizes, symbols, strict=strict))
    (root,) = reader.run(closed.jaxpr, closed.consts, [symbols[n] for n in names], None)
    return reader.builder.reading(root)


class _Reader:
    """The reading of one jaxpr."""

    def __init__(self, jax: Any, builder: Builder) -> None:
        self.jax, self.builder = jax, builder

    def run(self, jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Value], function: str | None) -> list[Value]:
        """The values of a jaxpr's outputs.

        Args:
            function: of an inner jaxpr, the name of the function that it is of; None at the top.
        """
        env: dict[Any, Value] = {}
        for v, c in zip(jaxpr.constvars, constants, strict=True):
            env[v] = c if is_symbolic(c) else np.asarray(c)
        env.update(zip(jaxpr.invars, inputs, strict=True))

        def value(v: Any) -> Value:
            return np.asarray(v.val) if hasattr(v, "val") else env[v]

        frames = [self._frame(e, function) for e in jaxpr.eqns]
        places = [p for p, _ in frames]
        names = names_of([p if own else None for p, own in frames], [e.primitive.name for e in jaxpr.eqns])
        outside = self.builder.place
        for e, name, place in zip(jaxpr.eqns, names, places, strict=True):
            self.builder.place = place or outside
            results = self.equation(e, [value(v) for v in e.invars])
            for v, result in zip(e.outvars, results, strict=True):
                env[v] = self.builder.bind(name if len(results) == 1 else None, result)
        self.builder.place = outside
        return [value(v) for v in jaxpr.outvars]

    def _frame(self, equation: Any, function: str | None) -> tuple[Place | None, bool]:
        """Where an equation stands in the user's source, and whether in the function that is being read."""
        from jax._src import source_info_util  # the public surface has no frames

        if equation.source_info.traceback is None:
            return None, False
        for f in source_info_util.user_frames(equation.source_info.traceback):
            if "/byhand/ingest/" not in f.file_name.replace("\\", "/"):
                place = Place(f.file_name, f.start_line, f.end_line, f.start_column, f.end_column)
                return place, function is None or f.function_name.rpartition(".")[2] == function
        return None, False

    def equation(self, e: Any, inputs: list[Value]) -> list[Value]:
        """The values of an equation's outputs."""
        name, params = e.primitive.name, e.params
        if name in _CALLS:
            return self._call(e, name, inputs)
        if name == "scan":
            return self._scan(e, inputs)
        if name == "while":
            return self._while(e, inputs)
        if name == "cond":
            return self._cond(e, inputs)
        if name == "platform_index":
            return [np.asarray(len(params["platforms"]) - 1, np.int32)]
        if not any(map(is_symbolic, inputs)):
            return self._computed(e, inputs)
        sizes = [tuple(map(int, v.aval.shape)) for v in e.outvars]
        first = e.outvars[0].aval
        call = Call(self.builder, name, params, inputs, sizes[0], first.dtype.kind in "iub")
        if name not in PRIMITIVES:
            return [
                self.builder.stand_in(
                    self.builder.unread(name, "the primitive has no row"), self.builder.sizes.shape(s), inputs
                )
                for s in sizes
            ]
        return self.builder.read(name, lambda: PRIMITIVES[name](call), sizes, inputs)

    def _computed(self, e: Any, inputs: list[Value]) -> list[Value]:
        """What only constants go into."""
        jnp = self.jax.numpy
        arrays = [jnp.asarray(v, dtype=a.aval.dtype) for v, a in zip(inputs, e.invars, strict=True)]
        found = e.primitive.bind(*arrays, **e.params)
        return [np.asarray(v) for v in (found if e.primitive.multiple_results else [found])]

    # ---- calls and loops

    def _call(self, e: Any, name: str, inputs: list[Value]) -> list[Value]:
        inner = e.params[next(k for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in e.params)]
        jaxpr, constants = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, [])
        told = getattr(getattr(jaxpr, "debug_info", None), "func_name", "") or ""
        called = str(e.params.get("name") or told.rpartition(".")[2])
        known = self._known(called, jaxpr, constants, inputs)
        if known is not None:
            return [known]
        if name.startswith("custom_vjp") and called not in _OWN:
            self.builder.note(
                f"{called or 'A custom_vjp'}: its own backward pass is not used, the derivative is that of its forward."
            )
        return self.run(jaxpr, constants, inputs, called)

    def _known(self, called: str, jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Value]) -> Expr | None:
        """A function of the table, if the call is named like one and has its values."""
        row = FUNCTIONS.get(called) or (FUNCTIONS["softplus"] if called == "logaddexp" else None)
        nodes = [k for k, v in enumerate(inputs) if isinstance(v, Expr)]
        if row is None or len(nodes) != 1 or len(jaxpr.outvars) != 1 or is_labels(inputs[nodes[0]]):
            return None
        (k,) = nodes
        shape = jaxpr.invars[k].aval.shape
        if jaxpr.outvars[0].aval.shape != shape or any(np.ndim(v) for i, v in enumerate(inputs) if i != k):
            return None
        for start in range(0, len(_SAMPLES), max(1, min(len(_SAMPLES), int(np.prod(shape))))):
            sample = np.resize(np.roll(_SAMPLES, -start), shape)
            given = [self.jax.numpy.asarray(sample if i == k else v) for i, v in enumerate(inputs)]
            (made,) = self.jax.core.eval_jaxpr(jaxpr, constants, *given)
            if not np.allclose(made, row.numpy(sample), rtol=1e-10, atol=1e-14):
                return None
        result: Expr = VOCABULARY[row.name](inputs[k])
        return result

    def _scan(self, e: Any, inputs: list[Value]) -> list[Value]:
        p = e.params
        constants, carried, length = p["num_consts"], p["num_carry"], int(p["length"])
        if not isinstance(self.builder.sizes.dim(length), int) or length > LONGEST_LOOP:
            return self._unread(
                e,
                "scan",
                f"a loop over {self.builder.sizes.dim(length)} steps: give its length as a number of at most {LONGEST_LOOP}",
            )
        fixed, carry, over = inputs[:constants], inputs[constants : constants + carried], inputs[constants + carried :]
        stacked: list[list[Value]] = []
        for k in reversed(range(length)) if p["reverse"] else range(length):
            rows = [self._row(x, k) for x in over]
            out = self.run(p["jaxpr"].jaxpr, p["jaxpr"].consts, [*fixed, *carry, *rows], None)
            carry = out[:carried]
            stacked.append(out[carried:])
        if p["reverse"]:
            stacked.reverse()
        return [*carry, *(self._stacked([row[i] for row in stacked]) for i in range(len(e.outvars) - carried))]

    def _row(self, x: Value, k: int) -> Value:
        return getitem(x, k) if isinstance(x, Expr) else np.asarray(x)[k]

    def _stacked(self, rows: list[Value]) -> Value:
        if not any(isinstance(r, Expr) for r in rows):
            return np.stack([np.asarray(r) for r in rows])
        return VOCABULARY["concatenate"]([getitem(self.builder.expr(r), None) for r in rows], 0)

    def _while(self, e: Any, inputs: list[Value]) -> list[Value]:
        p = e.params
        n, m = p["cond_nconsts"], p["body_nconsts"]
        of_condition, of_body, carry = inputs[:n], inputs[n : n + m], inputs[n + m :]
        for _ in range(LONGEST_LOOP):
            (on,) = self.run(p["cond_jaxpr"].jaxpr, p["cond_jaxpr"].consts, [*of_condition, *carry], "")
            if isinstance(on, Expr):
                return self._unread(e, "while", "whether the loop goes on depends on the inputs")
            if not on:
                return list(carry)
            carry = self.run(p["body_jaxpr"].jaxpr, p["body_jaxpr"].consts, [*of_body, *carry], None)
        return self._unread(e, "while", f"the loop has more than {LONGEST_LOOP} steps")

    def _cond(self, e: Any, inputs: list[Value]) -> list[Value]:
        which, *operands = inputs
        branches = e.params["branches"]
        if isinstance(which, Expr):
            return self._unread(e, "cond", "which branch is taken depends on the inputs: jnp.where computes both")
        taken = branches[min(max(int(which), 0), len(branches) - 1)]
        return self.run(taken.jaxpr, taken.consts, operands, "")

    def _unread(self, e: Any, name: str, why: str) -> list[Value]:
        error = self.builder.unread(name, why)
        return [self.builder.stand_in(error, self.builder.sizes.shape(map(int, v.aval.shape))) for v in e.outvars]


_OWN = frozenset({"relu", "logsumexp", "silu", "softplus"})
