"""The calls of a program as a function that works in place, in buffers that are allocated once.

Each result goes into a buffer: that of an operand which nobody needs any more, one that is free, or a new one. Views
are made once. What remains in the function is one call of NumPy per operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from byhand.program.calls import Graph, Node

Array = Any
_LIVE_TO_THE_END = 1 << 60
# Numbers are calculated with by Python, which rounds like NumPy's functions and is called faster; only a division by
# zero is another thing to Python's own numbers.
_SIGNS: dict[Any, str] = {np.add: "+", np.subtract: "-", np.multiply: "*", np.true_divide: "/"}
PRODUCT_ROWS = 256  # of a product that is added to an array: they stay in the cache


class InPlace:
    """The function of a graph for given arrays.

    Args:
        graph: what is computed.
        arrays: the arguments, by name: read where they stand at each call.
        outputs: name of a result -> the array that receives it; one of `arrays` is updated in place.
        value: whether the value before the results is computed and returned.
        given: names of arguments that each call is given, in this order, before the scalars; `arrays` and `outputs`
            stand for them here and have their shapes. The others are read where they stand.
        accumulate: add `share` times each result to its array instead; `share` is the first scalar of each call.
    Attributes:
        source: the function's source.
        function: callable(*given, *scalars) -> value or None.
        nbytes: the memory of the buffers.
    """

    def __init__(
        self,
        graph: Graph,
        arrays: Mapping[str, Array],
        outputs: Mapping[str, Array],
        value: bool = True,
        given: tuple[str, ...] = (),
        accumulate: bool = False,
    ) -> None:
        self.accumulate = accumulate
        self.graph, self.outputs, self.given = graph, outputs, {id(arrays[n]): n for n in given}
        self.scope: dict[str, Any] = {"__name__": "byhand.generated", "_copyto": np.copyto}
        self.names: dict[Node, str] = {}
        self.storage: dict[Node, Array] = {}
        self.pool: dict[tuple[int, str], list[Array]] = {}
        self.nbytes = 0
        self.scratches: dict[str, Array] = {}
        self.lines: list[str] = []
        wanted = [graph.results[k] for k in outputs] + ([graph.value] if value else [])
        self.order = _comparisons_early(_needed(graph, [w for w in wanted if isinstance(w, Node)]))
        self.added = self._added_products() if accumulate else {}
        self.last = self._last_uses([w for w in wanted if isinstance(w, Node) and w not in self.added])
        self.targets = (
            {}
            if accumulate
            else {graph.results[k]: a for k, a in outputs.items() if isinstance(graph.results[k], Node)}
        )
        for name, node in graph.inputs.items():
            self.names[node] = name
            if node.kind == "input":
                self.storage[node] = arrays[name]
                if name not in given:
                    self.scope[name] = arrays[name]
        self.late: list[tuple[Any, Array]] = []
        for place, node in enumerate(self.order):
            self._emit(place, node)
        for name, target in outputs.items():
            node = graph.results[name]
            if not (isinstance(node, Node) and node in self.added) and (
                not isinstance(node, Node) or self.storage.get(node) is not target
            ):
                self.late.append((node, target))
        self._finish(value)

    def _added_products(self) -> dict[Any, Array]:
        """Results that are products of matrices, used nowhere else -> their arrays: added block by block."""
        used = {a for n in self.order for a in n.args if isinstance(a, Node)}
        nodes = [self.graph.results[k] for k in self.outputs]
        return {
            n: self.outputs[k]
            for k, n in self.graph.results.items()
            if k in self.outputs and isinstance(n, Node) and n.kind == "matmul" and n.ndim == 2
            if n not in used and nodes.count(n) == 1 and n is not self.graph.value
        }

    # ---- liveness

    def _root(self, node: Node) -> Node:
        while node.kind == "view":
            node = node.args[0]
        return node

    def _last_uses(self, wanted: list[Any]) -> dict[Node, int]:
        last: dict[Node, int] = {}
        for place, node in enumerate(self.order):
            for a in node.args:
                if isinstance(a, Node):
                    last[self._root(a)] = place if node.kind != "view" else last.get(self._root(a), place)
        for w in wanted:
            if isinstance(w, Node):
                last[self._root(w)] = _LIVE_TO_THE_END
        return last

    def _target(self, place: int, node: Node) -> Array | None:
        """The array of a result that may be written at once: nobody reads its old value later."""
        target = self.targets.get(node)
        if target is None or target.dtype != node.dtype:
            return None
        for name, array in ((n, self.storage.get(x)) for n, x in self.graph.inputs.items()):
            if array is target:
                source = self.graph.inputs[name]
                if self.last.get(source, -1) > place or (node.kind != "ufunc" and self.last.get(source, -1) == place):
                    return None
                if any(isinstance(a, Node) and a is not source and self._root(a) is source for a in node.args):
                    return None
        return target

    def _buffer(self, place: int, node: Node) -> Array:
        target = self._target(place, node)
        if target is not None:
            return target
        if node.kind == "ufunc":
            for a in node.args:
                if not isinstance(a, Node) or a.kind in ("input", "view", "call") or self.last.get(a) != place:
                    continue
                held = self.storage.get(a)
                if held is not None and held.shape == node.shape and held.dtype == node.dtype:
                    self.last[a] = _LIVE_TO_THE_END  # its memory is the result's from now on
                    return held
        key = (int(np.prod(node.shape)), str(node.dtype))
        flat = self.pool[key].pop() if self.pool.get(key) else self._new(*key)
        return flat.reshape(node.shape)

    def _new(self, size: int, dtype: Any) -> Array:
        flat = np.zeros(size, dtype)
        self.nbytes += flat.nbytes
        return flat

    def _scratch(self, size: int, dtype: Any) -> Array:
        """Room that each use fills anew: one array for all of a type."""
        held = self.scratches.get(str(dtype))
        if held is None or held.size < size:
            held = self.scratches[str(dtype)] = self._new(size, dtype)
        return held

    def _release(self, place: int, node: Node) -> None:
        for a in dict.fromkeys(self._root(a) for a in node.args if isinstance(a, Node)):
            held = self.storage.get(a)
            if held is None or a.kind in ("input", "call") or self.last.get(a) != place:
                continue
            if any(held is t for t in self.outputs.values()):
                continue
            self.pool.setdefault((held.size, str(held.dtype)), []).append(held.reshape(-1))

    # ---- code

    def _word(self, a: Any) -> str:
        if isinstance(a, Node):
            return self.names[a]
        if isinstance(a, (int, float)) and not isinstance(a, bool) and np.isfinite(a):
            return repr(float(a) if isinstance(a, float) else a)  # NumPy's numbers are printed with their type
        return self._constant(a)

    def _reducer(self, ufunc: Any) -> str:
        name = f"_{ufunc.__name__}_reduce"
        self.scope[name] = ufunc.reduce
        return name

    def _constant(self, a: Any) -> str:
        if isinstance(a, np.ufunc):
            self.scope[f"_{a.__name__}"] = a
            return f"_{a.__name__}"
        for name, value in self.scope.items():
            if value is a:
                return name
        name = f"_c{len(self.scope)}"
        self.scope[name] = a
        return name

    def _emit(self, place: int, node: Node) -> None:
        if node.kind == "input" or node in self.names:
            return
        name = self.names[node] = f"_v{place}"
        if node.kind == "view":
            base = node.args[0]
            if base in self.storage and id(self.storage[base]) not in self.given:
                self.storage[node] = self.scope[name] = node.op(self.storage[base])
            else:
                self.lines.append(f"{name} = {self._constant(node.op)}({self._word(base)})")
            return
        words = [self._word(a) for a in node.args]
        if not node.shape and self._by_python(node):
            calculated = f" {_SIGNS[node.op]} ".join(words)
            self.lines.append(f"{name} = {calculated if node.kind == 'ufunc' else f'float({calculated})'}")
            self._release(place, node)
            return
        function = self._constant(node.op)
        if node.kind == "scalar" or node.kind == "call":
            options = "".join(f", {k}={self._constant(v)}" for k, v in node.options) if node.kind == "call" else ""
            called = f"{function}({', '.join(words)}{options})"
            self.lines.append(f"{name} = {called if node.kind == 'call' else f'float({called})'}")
            return
        if not node.shape and node.kind in ("ufunc", "matmul", "reduce"):
            tail = ", None" if node.kind == "reduce" else ""
            called = self._reducer(node.op) if node.kind == "reduce" else function
            self.lines.append(f"{name} = {called}({', '.join(words)}{tail})")
            self._release(place, node)
            return
        if node in self.added:
            target = self.added[node]
            scratch = self._scratch(min(PRODUCT_ROWS, node.shape[0]) * node.shape[1], node.dtype)
            self.scope["_add_product"] = add_product
            self.lines.append(
                f"_add_product({', '.join([self._constant(target), *words, self._constant(scratch), 'share'])})"
            )
            self._release(place, node)
            return
        out = self._buffer(place, node)
        self.storage[node] = out
        if id(out) in self.given:
            name = self.names[node] = self.given[id(out)]
        else:
            self.scope[name] = out
        match node.kind:
            case "ufunc" | "matmul":
                out_word = "out=" if node.op in (np.maximum, np.minimum) else ""  # NumPy wants it said there
                self.lines.append(f"{function}({', '.join(words)}, {out_word}{name})")
            case "reduce":
                axes, kept = node.options
                axis = axes[0] if len(axes) == 1 else axes
                self.lines.append(f"{self._reducer(node.op)}({words[0]}, {axis!r}, None, {name}, {kept})")
            case "where":
                self.lines += [f"_copyto({name}, {words[2]})", f"_copyto({name}, {words[1]}, 'unsafe', {words[0]})"]
            case "copy":
                self.lines.append(f"_copyto({name}, {words[0]}, 'unsafe')")
        self._release(place, node)

    def _by_python(self, node: Node) -> bool:
        """Whether a number is calculated from two numbers in a way that Python has a sign for."""
        if node.kind not in ("ufunc", "scalar") or node.op not in _SIGNS or len(node.args) != 2:
            return False
        return node.kind == "ufunc" or node.op is not np.true_divide

    def _finish(self, value: bool) -> None:
        for node, target in self.late:
            word = self.given.get(id(target)) or self._constant(target)
            found = self._word(node)
            added = f"{self._constant(np.add)}({word}, share * {found}, {word})"
            self.lines.append(added if self.accumulate else f"_copyto({word}, {found})")
        if value:
            self.lines.append(f"return {self._word(self.graph.value)}")
        scalars = ["share"] if self.accumulate else []
        scalars += [n for n, x in self.graph.inputs.items() if x.kind == "scalar"]
        body = "\n".join(f"    {line}" for line in self.lines) or "    pass"
        self.source = f"def step({', '.join([*self.given.values(), *scalars])}):\n{body}\n"
        exec(compile(self.source, "<byhand: step in place>", "exec"), self.scope)
        self.function: Callable[..., Any] = self.scope["step"]


def add_product(target: Array, a: Array, b: Array, scratch: Array, share: float) -> None:
    """target += share * a @ b, a block of rows at a time."""
    columns = target.shape[1]
    for start in range(0, len(target), PRODUCT_ROWS):
        rows = slice(start, min(start + PRODUCT_ROWS, len(target)))
        block = scratch[: (rows.stop - start) * columns].reshape(-1, columns)
        np.matmul(a[rows], b, block)
        np.multiply(block, share, block)
        np.add(target[rows], block, target[rows])


def _comparisons_early(order: list[Node]) -> list[Node]:
    """Each comparison right after the last other use of its operand, whose memory is then free for what follows."""
    for node in [n for n in order if n.kind == "ufunc" and n.dtype == bool]:
        operands = {a for a in node.args if isinstance(a, Node)}
        place = order.index(node)
        uses = [k for k in range(place) if order[k] in operands or operands & _reached(order[k])]
        if uses and uses[-1] < place - 1:
            order.insert(uses[-1] + 1, order.pop(place))
    return order


def _reached(node: Node) -> set[Node]:
    """What an operation reads, through views."""
    found = set()
    for a in node.args:
        while isinstance(a, Node) and a.kind == "view":
            found.add(a)
            a = a.args[0]
        if isinstance(a, Node):
            found.add(a)
    return found


def _needed(graph: Graph, wanted: list[Node]) -> list[Node]:
    needed = set(wanted)
    kept = []
    for node in reversed(graph.nodes):
        if node in needed:
            kept.append(node)
            needed |= {a for a in node.args if isinstance(a, Node)}
    return kept[::-1]


__all__ = ["InPlace"]
