"""Three small readers that evaluate what the library writes: forms, matrix notation, index notation.

They know what each sign means and nothing of how it came about, so a formula that says something else than the engine
gets another value. Vectors are columns; sizes are never 1.
"""

from fractions import Fraction

import numpy as np

from byhand.expr.dims import dim_value
from byhand.expr.evaluate import evaluate_nodes
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Constant, Differential, Named, Symbol, topological
from byhand.expr.operations import OPERATIONS
from byhand.notation import typeset as ts


class Misread(Exception):  # noqa: N818
    """The formula has no value as it stands."""


class Unsaid(Exception):  # noqa: N818
    """A size that the formula does not say: the trace of an identity, a sum over a letter that it does not have."""


# ---- forms


def form_value(form, values, sizes):
    """The value of a form by the meaning of its kind; vectors are one-dimensional."""
    a = [form_value(x, values, sizes) for x in form.args]
    n = [dim_value(d, sizes) for d in form.data] if isinstance(form.data, tuple) and form.kind in SIZED else []
    match form.kind:
        case "name":
            return values[form.data]
        case "number":
            return form.data.evaluate(sizes)
        case "differential":
            return values["d", form.args[0].data]
        case "function":
            return FUNCTIONS[form.data].numpy(np.asarray(a[0]))
        case "operation":
            name, (_, *attributes) = form.data
            return OPERATIONS[name].numpy(a, tuple(attributes), sizes)
        case "power":
            return np.asarray(a[0]) ** float(form.data)
        case "sum":
            return sum(a)
        case "scaled":
            scalars, powers = a[: len(form.data.powers)], form.data.powers
            factor = form.data.coefficient.evaluate(sizes) * np.prod(
                [s ** float(p) for s, p in zip(scalars, powers, strict=True)]
            )
            return factor * a[-1] if form.data.has_core else factor
        case "norm_squared":
            return np.sum(a[0] ** 2)
        case "dot" | "inner":
            assert a[0].shape == a[1].shape
            return np.sum(a[0] * a[1])
        case "matvec" | "matmul":
            return a[0] @ a[1]
        case "outer":
            return np.outer(*a)
        case "hadamard":
            assert len({x.shape for x in a}) == 1
            return np.prod(np.array(a), axis=0)
        case "scale_rows":
            return np.diag(a[0]) @ a[1]
        case "scale_columns":
            return a[1] @ np.diag(a[0])
        case "trace":
            return np.trace(a[0])
        case "diagonal":
            return np.diagonal(a[0])
        case "row_sums":
            return np.sum(a[0], axis=1)
        case "column_sums":
            return np.sum(a[0], axis=0)
        case "total":
            assert a[0].shape == tuple(n)
            return np.sum(a[0])
        case "transpose":
            return a[0].T
        case "diagonal_matrix":
            return np.diag(a[0])
        case "spread_columns":
            return np.outer(a[0], np.ones(n[1]))
        case "spread_rows":
            return np.outer(np.ones(n[0]), a[0])
        case "fill":
            return np.ones(n)
        case "identity":
            return np.eye(n[0])
        case "kron":
            return np.kron(*a)
        case "einsum":
            labels, node = form.data
            operands = [x for pair in zip(a, labels, strict=True) for x in (pair[0], list(pair[1]))]
            dims = [dim_value(d, sizes) for d in node.dims]
            held = {x for ls in labels for x in ls}
            missing = [x for x in dict.fromkeys(node.out) if x not in held]
            for x in missing:
                operands += [np.ones(dims[x]), [x]]
            out = list(dict.fromkeys(node.out))
            value = np.einsum(*operands, out)
            for k, x in enumerate(node.out):  # a repeated label is a diagonal
                if x in node.out[:k]:
                    first = node.out.index(x)
                    value = np.expand_dims(value, k) * np.eye(dims[x]).reshape(
                        [dims[x] if axis in (first, k) else 1 for axis in range(value.ndim + 1)]
                    )
            return node.coefficient.evaluate(sizes) * value
    raise AssertionError(f"a form of kind {form.kind}: say here what it means")


SIZED = {"total", "spread_columns", "spread_rows", "fill", "identity"}


def named_values(node, values, sizes, directions=()):
    """Values of everything that has a name: by node for forms, by name for typeset formulas."""
    directions = dict(directions)
    everything = evaluate_nodes([node], {**values, **{d: directions[d.arg] for d in differentials(node)}}, sizes)
    nodes = {n: v for n, v in everything.items() if isinstance(n, (Symbol, Named, Constant))}
    return nodes | {("d", s): directions[s] for s in directions}


def differentials(node):
    return [n for n in topological([node]) if isinstance(n, Differential)]


def by_name(nodes):
    """The same by name, for the readers of typeset formulas."""
    names = {}
    for key, value in nodes.items():
        names["d" + key[1].name if isinstance(key, tuple) else key.name] = value
    return names


# ---- matrix notation


class MatrixReader:
    """Values of typeset matrix formulas.

    Args:
        names: values by name; a differential dX is the name "dX".
        sizes: dimensions by name.
        rows: names of vectors that are printed as rows; None for all.
    """

    def __init__(self, names, sizes, rows=frozenset()):
        self.names, self.sizes, self.rows = names, sizes, rows

    def value(self, m):
        """A scalar, or a matrix; vectors are matrices of one column or one row."""
        v = np.asarray(self.read(m))
        return v.reshape(()) if v.size == 1 else v

    def array(self, name):
        v = np.asarray(self.names[name])
        if v.ndim != 1:
            return v
        bare = name if self.rows is None or name in self.rows else name.removeprefix("d").removeprefix("∂")
        is_row = self.rows is None or bare in self.rows
        return v[None, :] if is_row else v[:, None]

    def read(self, m):
        match m:
            case ts.Name(name):
                return self.array(name) if name in self.names else np.asarray(float(self.sizes[name]))
            case ts.Number(value):
                return np.asarray(float(value))
            case ts.Ones(size):
                return np.ones((int(self.value(size)), 1))
            case ts.Identity():
                return Eye(1.0)
            case ts.Bracketed(body):
                return self.value_or_eye(body)
            case ts.Negative(body):
                return -self.value_or_eye(body)
            case ts.Product(items):
                return self.product([self.value_or_eye(i) for i in items])
            case ts.Infix("hadamard", items):
                return self.together([self.value_or_eye(i) for i in items], np.multiply)
            case ts.Infix("divide_elementwise", items):
                values = [self.value_or_eye(i) for i in items]
                return self.together(values, np.divide)
            case ts.Infix("kronecker", (left, right)):
                return np.kron(self.value(left), self.value(right))
            case ts.Sum(terms):
                signed = [(1.0 if plus else -1.0) * self.value_or_eye(t) for plus, t in terms]
                return self.together(signed, np.add, broadcast_scalars=True)
            case ts.Quotient(num, den):
                bottom = self.value(den)
                if bottom.ndim:
                    raise Misread("division by an array")
                return self.value_or_eye(num) / bottom
            case ts.Power(base, ts.Number(p)):
                return self.power(self.value(base), p)
            case ts.Power(base, exponent):
                return self.value(base) ** self.value(exponent)
            case ts.ElementwisePower(base, p):
                return self.value_or_eye(base) ** float(p)
            case ts.Root(body):
                return np.sqrt(self.value(body))
            case ts.Transpose(base):
                v = self.value_or_eye(base)
                return v if isinstance(v, Eye) else v.T
            case ts.Inner(left, right):
                a, b = self.value_or_eye(left), self.value_or_eye(right)
                if isinstance(a, Eye) or isinstance(b, Eye):
                    a, b = (x.like(y) if isinstance(x, Eye) else x for x, y in ((a, b), (b, a)))
                if a.shape != b.shape:
                    raise Misread(f"inner product of {a.shape} and {b.shape}")
                return np.sum(a * b)
            case ts.Norm(body):
                return np.sqrt(np.sum(self.value(body) ** 2))
            case ts.Indicator(ts.Relation(">", left, right)):
                return (self.value(left) > self.value(right)) * 1.0
            case ts.Differential(ts.Name(name)):
                return self.array("d" + name)
            case ts.Partial(_, ts.Name(name)):
                return self.array("∂" + name)
            case ts.Call("onehot", (labels,)):
                return np.eye(self.sizes["classes"])[np.ravel(self.value(labels)).astype(int)]
            case ts.Call(function, args):
                return self.call(function, args)
        raise Misread(f"no meaning for {m}")

    def value_or_eye(self, m):
        v = self.read(m)
        return v if isinstance(v, Eye) else np.asarray(v).reshape(()) if np.size(v) == 1 else v

    def product(self, values):
        """Juxtaposition: scalars scale, matrices multiply from the left."""
        scalars = [v for v in values if not isinstance(v, Eye) and np.ndim(v) == 0]
        matrices = [v for v in values if isinstance(v, Eye) or np.ndim(v)]
        result = None
        for v in matrices:
            if result is None or isinstance(result, Eye):
                result = v if result is None else v * result.factor
            elif isinstance(v, Eye):
                result = result * v.factor
            elif result.shape[1] != v.shape[0]:
                raise Misread(f"product of {result.shape} and {v.shape}")
            else:
                result = result @ v
        factor = np.prod(scalars) if scalars else 1.0
        return factor if result is None else result * factor

    def together(self, values, operation, broadcast_scalars=False):
        """Entry by entry; shapes must be equal, a number in a sum stands for all entries."""
        shapes = {v.shape for v in values if not isinstance(v, Eye) and np.ndim(v)}
        if len(shapes) > 1:
            raise Misread(f"{operation.__name__} of shapes {shapes}")
        if any(isinstance(v, Eye) for v in values):
            if not shapes:
                if all(isinstance(v, Eye) for v in values):
                    return Eye(operation.reduce([v.factor for v in values]))
                raise Misread("an identity without a size")
            (shape,) = shapes
            values = [v.like(np.empty(shape)) if isinstance(v, Eye) else v for v in values]
        if not broadcast_scalars and shapes and operation is np.multiply and any(np.ndim(v) == 0 for v in values):
            raise Misread("a scalar under ⊙")
        result = values[0]
        for v in values[1:]:
            result = operation(result, v)
        return result

    def power(self, base, p):
        if base.ndim == 0:
            return base ** float(p)
        if base.shape[0] != base.shape[1] or Fraction(p).denominator != 1:
            raise Misread(f"power {p} of a matrix of shape {base.shape}")
        return np.linalg.matrix_power(base, int(p))

    def call(self, function, args):
        axis = [a.words for a in args if isinstance(a, ts.Text)]
        values = [self.value_or_eye(a) for a in args if not isinstance(a, ts.Text)]
        if any(isinstance(v, Eye) for v in values):
            raise Unsaid(f"{function} of an identity of unknown size")
        (x, *_) = values
        is_vector = x.ndim == 2 and 1 in x.shape
        match function:
            case "tr":
                return np.trace(x)
            case "diag":
                return np.diag(x.ravel()) if is_vector else np.diag(x)[:, None]
            case "softmax" | "log_softmax" | "logsumexp":
                said = axis and tuple(map(int, axis[0].removeprefix("axis=").strip("()").split(",")))
                over = said or ((0, 1) if is_vector else (x.ndim - 1,))
                v = OPERATIONS[function].numpy([x], (over,), self.sizes)
                return v[:, None] if np.ndim(v) == 1 else v
            case "where":
                return np.where(values[0] != 0, values[1], values[2])
            case "det" | "logdet":
                return OPERATIONS[function].numpy([x], (), self.sizes)
        if function in FUNCTIONS and len(values) == 1:
            return FUNCTIONS[function].numpy(x)
        raise Misread(f"no meaning for {function}")

    def readings(self, m):
        """The value of a formula, alone in a list."""
        return [self.value_or_eye(m)]


class Eye:
    """A multiple of the identity whose size the formula does not say."""

    __array_ufunc__ = None

    def __init__(self, factor):
        self.factor = factor

    def like(self, other):
        if other.ndim != 2 or other.shape[0] != other.shape[1]:
            raise Misread(f"an identity beside {other.shape}")
        return self.factor * np.eye(other.shape[0])

    def __mul__(self, factor):
        return Eye(self.factor * float(factor))

    __rmul__ = __mul__

    def __truediv__(self, factor):
        return Eye(self.factor / float(factor))

    def __neg__(self):
        return Eye(-self.factor)

    def __pow__(self, p):
        assert p > 0
        return Eye(self.factor**p)


# ---- index notation


class IndexReader:
    """Values of typeset index formulas: a value is an array with one named axis per letter."""

    def __init__(self, names, sizes, rows=frozenset()):
        self.names, self.sizes = names, sizes
        self.matrices = MatrixReader(names, sizes, rows)

    def entries(self, m, letters, shape):
        """The array of a formula over its free letters."""
        lengths = dict(zip(letters, shape, strict=True))
        found, v = self.read(m, lengths)
        if not set(found) <= set(letters):
            raise Misread(f"free letters {found}, wanted {letters}")
        v = v.transpose([found.index(x) for x in letters if x in found])
        kept = [x in found for x in letters]
        return np.broadcast_to(v.reshape([n if k else 1 for n, k in zip(shape, kept, strict=True)]), shape)

    def read(self, m, lengths):
        match m:
            case ts.Indexed(base, indices):
                return self.indexed(base, indices, lengths)
            case ts.Name(name) if name in lengths:
                return (name,), np.arange(lengths[name])
            case ts.Name(name):
                return (), np.asarray(self.names[name] if name in self.names else float(self.sizes[name]))
            case ts.Number(value):
                return (), np.asarray(float(value))
            case ts.Differential(ts.Indexed(ts.Name(name), indices)):
                return self.indexed(ts.Name("d" + name), indices, lengths)
            case ts.Differential(ts.Name(name)):
                return (), np.asarray(self.names["d" + name])
            case ts.Partial(_, ts.Indexed(ts.Name(name), indices)):
                return self.indexed(ts.Name("∂" + name), indices, lengths)
            case ts.Partial(_, ts.Name(name)):
                return (), np.asarray(self.names["∂" + name])
            case ts.BigSum(indices, body):
                own = [i for i in indices if isinstance(i, str)]
                inside = {**lengths, **self.lengths(body, own, lengths)}
                letters, v = self.read(body, inside)
                if not set(own) <= set(letters):
                    raise Unsaid(f"a sum over {own} of a formula in {letters}")
                return tuple(x for x in letters if x not in own), v.sum(axis=tuple(letters.index(x) for x in own))
            case ts.Delta(i, j):
                return self.combine([self.position(i, lengths), self.position(j, lengths)], lambda a, b: (a == b) * 1.0)
            case ts.Product(items):
                return self.combine([self.read(i, lengths) for i in items], np.multiply)
            case ts.Sum(terms):
                parts = [(letters, v if plus else -v) for plus, t in terms for letters, v in [self.read(t, lengths)]]
                return self.combine(parts, np.add)
            case ts.Negative(body):
                letters, v = self.read(body, lengths)
                return letters, -v
            case ts.Bracketed(body):
                return self.read(body, lengths)
            case ts.Quotient(num, den):
                return self.combine([self.read(num, lengths), self.read(den, lengths)], np.divide)
            case ts.Power(base, exponent):
                return self.combine([self.read(base, lengths), self.read(exponent, lengths)], np.power)
            case ts.Root(body):
                letters, v = self.read(body, lengths)
                return letters, np.sqrt(v)
            case ts.Indicator(ts.Relation(">", left, right)):
                return self.combine([self.read(left, lengths), self.read(right, lengths)], lambda a, b: (a > b) * 1.0)
            case ts.Call("where", (c, a, b)):
                parts = [self.read(x, lengths) for x in (c, a, b)]
                return self.combine(parts, lambda c, a, b: np.where(c != 0, a, b), at_once=True)
            case ts.Call(function, (arg,)) if function in FUNCTIONS:
                letters, v = self.read(arg, lengths)
                return letters, FUNCTIONS[function].numpy(v)
        return (), self.whole(m, 0)

    def indexed(self, base, indices, lengths):
        array = np.asarray(self.names[base.name] if isinstance(base, ts.Name) else self.whole(base, len(indices)))
        if array.ndim != len(indices):
            raise Misread(f"{len(indices)} indices for {array.ndim} axes")
        letters = [i for i in indices if isinstance(i, str)]
        if len(letters) < len(indices):
            raise Misread("an index that is no letter")
        for x, n in zip(letters, array.shape, strict=True):
            if x in lengths and lengths[x] != n:
                raise Misread(f"letter {x} runs to {lengths[x]} and to {n}")
        out = tuple(dict.fromkeys(letters))
        return out, np.einsum(array, [out.index(x) for x in letters], list(range(len(out))))

    def whole(self, base, ndim):
        """An operation on a whole array, as inside softmax(Z)_ij; on an array with indices, over the axis said."""
        match base:
            case ts.Call("inv" | "det" | "logdet" as function, (ts.Indexed(ts.Matrix(((arg,),)), letters),)):
                lengths = self.lengths(arg, letters)
                shape = tuple(lengths[x] for x in letters)
                return OPERATIONS[function].numpy([self.entries(arg, list(letters), shape)], (), self.sizes)
        found = [v for v in self.matrices.readings(base) if np.ndim(np.squeeze(v)) == ndim]
        if not found:
            raise Misread("an array of another rank")
        return np.squeeze(found[0])

    def position(self, index, lengths):
        if isinstance(index, str):
            return (index,), np.arange(lengths[index])
        return self.read(index, lengths)

    def lengths(self, m, wanted, outer=()):
        """The lengths of letters, from the arrays that they index; under δ both letters have the same one."""
        found = self.lengths_of_indices(m, wanted)
        known = {**dict(outer), **found}
        for i, j in deltas(m):
            for a, b in ((i, j), (j, i)):
                if a in wanted and a not in found and b in known:
                    found[a] = known[b]
        return found

    def lengths_of_indices(self, m, wanted):
        found = {}
        match m:
            case ts.Indexed(base, indices):
                array = self.names[base.name] if isinstance(base, ts.Name) else self.whole(base, len(indices))
                found = {i: n for i, n in zip(indices, np.shape(array), strict=True) if i in wanted}
            case ts.Differential(ts.Indexed(ts.Name(name), indices)):
                found = {i: n for i, n in zip(indices, np.shape(self.names["d" + name]), strict=True) if i in wanted}
            case ts.Partial(_, ts.Indexed(ts.Name(name), indices)):
                found = {i: n for i, n in zip(indices, np.shape(self.names["∂" + name]), strict=True) if i in wanted}
            case ts.BigSum(indices, body):
                found = self.lengths_of_indices(body, [x for x in wanted if x not in indices])
            case ts.Math():
                for part in parts(m):
                    found |= self.lengths_of_indices(part, wanted)
        return found

    def combine(self, values, operation, at_once=False):
        """Named axes lined up."""
        letters = tuple(dict.fromkeys(x for ls, _ in values for x in ls))
        lined = []
        for ls, v in values:
            v = np.asarray(v).transpose([ls.index(x) for x in letters if x in ls])
            lined.append(
                v.reshape([v.shape[[y for y in letters if y in ls].index(x)] if x in ls else 1 for x in letters])
            )
        if at_once:
            return letters, operation(*lined)
        result = lined[0]
        for v in lined[1:]:
            result = operation(result, v)
        return letters, np.asarray(result)


def parts(m):
    """The nodes that a typeset node is made of."""
    found, todo = [], [getattr(m, name) for name in m.__dataclass_fields__]
    while todo:
        value = todo.pop(0)
        if isinstance(value, ts.Math):
            found.append(value)
        elif isinstance(value, tuple):
            todo = [*value, *todo]
    return found


def deltas(m):
    """The pairs of letters under Kronecker deltas."""
    if isinstance(m, ts.Delta):
        return [(m.i, m.j)] if isinstance(m.i, str) and isinstance(m.j, str) else []
    return [pair for part in parts(m) for pair in deltas(part)]
