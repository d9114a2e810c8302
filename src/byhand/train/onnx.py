"""ONNX export: the program of the prediction, call by call, with scaling and classes around it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from byhand.errors import ByhandError, MissingRuleError
from byhand.files import write_atomically
from byhand.program.calls import Graph, Node
from byhand.program.lower import lower
from byhand.train.programs import plain_net, program_of

Array = Any
OPSET = 18
IR_VERSION = 9  # onnxruntime 1.17 and newer read it
_ROWS = 7  # samples in the trace; the exported model takes any number

_OPERATORS: dict[str, str] = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow", "negative": "Neg",
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "absolute": "Abs", "sign": "Sign", "tanh": "Tanh", "maximum": "Max",
    "minimum": "Min", "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos", "arctan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "arcsinh": "Asinh", "erf": "Erf", "expit": "Sigmoid", "positive": "Identity",
    "reciprocal": "Reciprocal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less",
    "less_equal": "LessOrEqual", "equal": "Equal", "logical_not": "Not", "logical_and": "And", "logical_or": "Or",
}  # fmt: skip
# onnxruntime computes these in single precision only
_SINGLE = frozenset({"Erf", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh"})
_COMPARE = frozenset({"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"})
_REDUCERS = {"add": "ReduceSum", "maximum": "ReduceMax", "minimum": "ReduceMin", "multiply": "ReduceProd"}


def _onnx() -> Any:
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise ByhandError("ONNX export needs onnx, which is not installed", "pip install 'byhand[onnx]'") from None
    return onnx


class _Writer:
    """Nodes and constants of an ONNX graph as they are added."""

    def __init__(self) -> None:
        self.onnx = _onnx()
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._made: dict[Any, str] = {}

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """A node; the name of its output."""
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any, name: str = "") -> str:
        """An array; the name of it."""
        array = np.asarray(value)
        key = (name, array.dtype.str, array.shape, array.tobytes() if array.dtype.kind != "U" else tuple(array))
        if key not in self._made:
            self._made[key] = name or f"constant_{len(self.constants)}"
            if array.dtype.kind == "U":
                texts = [str(v).encode() for v in array]
                kind = self.onnx.TensorProto.STRING
                tensor = self.onnx.helper.make_tensor(self._made[key], kind, array.shape, texts)
            else:
                tensor = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), self._made[key])
            self.constants.append(tensor)
        return self._made[key]

    def cast(self, name: str, dtype: Any) -> str:
        """The array in another type."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", name, to=int(kind))


class _Lowering:
    """The calls of a program as ONNX nodes."""

    def __init__(self, writer: _Writer, graph: Graph, names: Mapping[str, str]) -> None:
        self.w = writer
        self.names: dict[Node, str] = {graph.inputs[n]: name for n, name in names.items()}
        for node in graph.nodes:
            if node not in self.names:
                self.names[node] = self._node(node)

    def _word(self, a: Any, dtype: Any) -> str:
        if not isinstance(a, Node):
            return self.w.constant(np.asarray(a, dtype))
        return self.names[a] if a.dtype == dtype else self.w.cast(self.names[a], dtype)

    def _node(self, node: Node) -> str:
        match node.kind:
            case "matmul":
                return self.w.add("MatMul", *(self._word(a, node.dtype) for a in node.args))
            case "reduce":
                axes, kept = node.options
                name = self.w.constant(np.array(axes, np.int64))
                return self.w.add(
                    _REDUCERS[node.op.__name__], self._word(node.args[0], node.dtype), name, keepdims=int(kept)
                )
            case "where":
                test = self._word(node.args[0], np.dtype(bool))
                return self.w.add("Where", test, *(self._word(a, node.dtype) for a in node.args[1:]))
            case "copy":
                return self._word(node.args[0], node.dtype)
            case "ufunc":
                return self._ufunc(node)
        raise MissingRuleError(
            f"{getattr(node.op, '__name__', node.op)} of shape {node.shape} has no ONNX operator",
            "add a case to byhand/train/onnx.py",
        )

    def _ufunc(self, node: Node) -> str:
        name, dtype = node.op.__name__, node.dtype
        if name in _COMPOSED:
            return _COMPOSED[name](self.w, *(self._word(a, dtype) for a in node.args), dtype)
        if name not in _OPERATORS:
            raise MissingRuleError(f"{name} has no ONNX operator", "add a row to byhand/train/onnx.py")
        operator = _OPERATORS[name]
        if operator in _COMPARE:
            dtype = np.result_type(*(a.dtype for a in node.args if isinstance(a, Node)))
        words = [self._word(a, dtype) for a in node.args]
        if operator in _SINGLE and dtype == np.float64:
            return self.w.cast(self.w.add(operator, *(self.w.cast(x, np.float32) for x in words)), np.float64)
        return self.w.add(operator, *words)


def _logaddexp(w: _Writer, a: str, b: str, dtype: Any) -> str:
    gap = w.add("Exp", w.add("Neg", w.add("Abs", w.add("Sub", a, b))))
    return w.add("Add", w.add("Max", a, b), _log1p(w, gap, dtype))


def _log1p(w: _Writer, a: str, dtype: Any) -> str:
    return w.add("Log", w.add("Add", a, w.constant(np.array(1, dtype))))


def _expm1(w: _Writer, a: str, dtype: Any) -> str:  # 2 tanh(a/2) / (1 - tanh(a/2)), exact near 0
    half = w.add("Tanh", w.add("Mul", a, w.constant(np.array(0.5, dtype))))
    above = w.add("Mul", half, w.constant(np.array(2, dtype)))
    return w.add("Div", above, w.add("Sub", w.constant(np.array(1, dtype)), half))


def _erfc(w: _Writer, a: str, dtype: Any) -> str:
    return w.add("Sub", w.constant(np.array(1, dtype)), w.cast(w.add("Erf", w.cast(a, np.float32)), dtype))


_COMPOSED: dict[str, Callable[..., str]] = {
    "logaddexp": _logaddexp,
    "log1p": _log1p,
    "expm1": _expm1,
    "erfc": _erfc,
    "square": lambda w, a, dtype: w.add("Mul", a, a),
}


def to_onnx(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator as an ONNX model.

    Its input X (N, features) has the model's type; scaling is part of it. onnxruntime fuses factors of matrix products
    in single precision, and has error and trigonometric functions in that only: there it agrees to about 1e-7.
    Outputs of a classifier: label (N,), and probabilities (N, classes), which are called outputs where the loss has no
    probabilities; of a regressor: prediction (N, outputs) in the targets' units.

    Args:
        model: an `MLPClassifier` or `MLPRegressor`.
        path: the file; what stood there stays until the new file is whole.
    Raises: ByhandError: onnx is not installed, or an activation has no counterpart. DataError: the file cannot be
        written. NotFittedError: the model was not fitted.
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model, "parameters_")
    w = _Writer()
    onnx, helper = w.onnx, w.onnx.helper
    dtype = next(iter(model.parameters_.values())).dtype
    features = int(model.n_features_in_)
    net = plain_net(program_of(model._program_key(False, model._targets_kind())).net)
    program = lower({"f": net.prediction.root})
    values = {n: model.parameters_[n] for n in program.inputs if n != net.data}
    graph = Graph(program, {**values, net.data: np.zeros((_ROWS, features), dtype)})
    scaling = model.input_scaling_
    x = w.add("Sub", w.cast("X", np.float64), w.constant(scaling.mean, "input_mean"))
    x = w.cast(w.add("Div", x, w.constant(scaling.scale, "input_scale")), dtype)
    names = {n: w.constant(v, n) for n, v in values.items()}
    outputs = w.cast(_Lowering(w, graph, {**names, net.data: x}).names[graph.results["f"]], np.float64)
    kind = int(helper.np_dtype_to_tensor_dtype(dtype))
    if hasattr(model, "classes_"):
        results = _classified(w, model, outputs, dtype, kind)
    else:
        target = model.target_scaling_
        found = w.add("Mul", outputs, w.constant(target.scale, "target_scale"))
        found = w.add("Add", found, w.constant(target.mean, "target_mean"))
        w.add("Cast", found, output="prediction", to=kind)
        results = [helper.make_tensor_value_info("prediction", kind, ["N", int(model.n_outputs_)])]
    taken = helper.make_tensor_value_info("X", kind, ["N", features])
    made = helper.make_graph(w.nodes, "byhand", [taken], results, initializer=w.constants)
    opset = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(made, opset_imports=opset, producer_name="byhand", ir_version=IR_VERSION)
    onnx.checker.check_model(proto)
    write_atomically(Path(path), proto.SerializeToString())


def _classified(w: _Writer, model: Any, outputs: str, dtype: Any, kind: int) -> list[Any]:
    helper, classes, coding = w.onnx.helper, np.asarray(model.classes_), model._coding
    integer, half = int(w.onnx.TensorProto.INT64), w.constant(np.float64(0.5))
    shown = "probabilities" if coding.has_probabilities else "outputs"
    results = helper.make_tensor_value_info(shown, kind, ["N", len(classes)])
    if coding.multilabel:
        w.add("Cast", w.add("Greater", outputs, half), output="label", to=integer)
        w.add("Cast", outputs, output=shown, to=kind)
        return [helper.make_tensor_value_info("label", integer, ["N", len(classes)]), results]
    columns = w.constant(np.array([1], np.int64))
    if coding.one_output:
        found = w.add("Concat", w.add("Sub", w.constant(np.float64(1)), outputs), outputs, axis=1)
        place = w.add("Squeeze", w.add("Cast", w.add("Greater", outputs, half), to=integer), columns)
    else:
        place = w.add("ArgMax", outputs, axis=1, keepdims=0)
        found = outputs
        if coding.has_probabilities:
            if coding.row.link.startswith("sigmoid"):
                found = w.add("Add", outputs, w.constant(np.finfo(np.float64).tiny))
            found = w.add("Div", found, w.add("ReduceSum", found, columns, keepdims=1))
    w.add("Cast", found, output=shown, to=kind)
    held = classes.astype(np.int64) if classes.dtype.kind in "iub" else classes
    if held.dtype.kind not in "if":
        held = held.astype(str)
    w.add("Gather", w.constant(held, "classes"), place, output="label")
    element = w.onnx.TensorProto.STRING if held.dtype.kind == "U" else helper.np_dtype_to_tensor_dtype(held.dtype)
    return [helper.make_tensor_value_info("label", int(element), ["N"]), results]


__all__ = ["to_onnx"]
