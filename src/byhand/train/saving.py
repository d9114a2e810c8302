"""Models as files: one safetensors file, its arrays the numbers, its header (JSON) the description. Never a pickle.

The description begins with a digest of the whole file, its own 64 places taken as zeros: a file that is not to the bit
what was written is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from byhand.arguments import shown
from byhand.errors import ByhandError, DataError
from byhand.files import write_atomically
from byhand.train.loop import History

FORMAT = 2
WITHOUT_DIGEST = 1  # the format of files that were written before there was one
_DIGEST = "sha256"
_NO_DIGEST = "0" * 64
_PLACE = re.compile(rb'\\"sha256\\": \\"([0-9a-f]{64})\\"')  # a text in a text: each quote has a backslash
_NOT_SAVED = frozenset({"callbacks"})  # code is not data
_LEFT_OUT = "__not_saved__"


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        missing = "models are saved with safetensors, which is not installed"
        raise ByhandError(missing, "pip install 'byhand[train]'") from None
    return safetensors.numpy


def _plain(value: Any) -> Any:
    """A value as JSON has it; what JSON has not is left out."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.generic():
            return value.item()
        case list() | tuple():
            return [_plain(v) for v in value]
        case dict():
            return {"pairs": [[_plain(k), _plain(v)] for k, v in value.items()]}
        case type() | np.dtype():
            return np.dtype(value).name
        case _:
            return _LEFT_OUT


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        return {_restored(k): _restored(v) for k, v in value["pairs"]}
    return [_restored(v) for v in value] if isinstance(value, list) else value


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator.

    Args:
        model: an `MLPClassifier`, `MLPRegressor`, `TableClassifier` or `TableRegressor`.
        path: the file; what stood there stays until the new file is whole.
    Raises: DataError: the file cannot be written. NotFittedError: the model was not fitted.
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model, "parameters_")
    arrays = {f"parameter.{n}": v for n, v in model.parameters_.items()}
    for name in ("input", "target"):
        scaling = getattr(model, f"{name}_scaling_")
        arrays |= {f"{name}.mean": scaling.mean, f"{name}.scale": scaling.scale}
    state = getattr(model, "optimizer_state_", None)
    if state:
        arrays |= {f"optimizer.{n}": v for n, v in state.items() if n != "t"}
    sizes, activations, options = model._key
    classes = getattr(model, "classes_", None)
    description = {
        "format": FORMAT,
        "kind": type(model).__name__,
        "settings": {k: _plain(v) for k, v in model.get_params(deep=False).items() if k not in _NOT_SAVED},
        "sizes": list(map(int, sizes)),
        "activations": list(activations),
        "options": dict(options),
        "features": int(model.n_features_in_),
        "feature_names": _plain(list(getattr(model, "feature_names_in_", []))),
        "classes": None if classes is None else [classes.dtype.str, classes.tolist()],
        "multilabel": getattr(model, "_multilabel", None),
        "weighted": getattr(model, "_weighted", False),
        "one_output": getattr(model, "_one_output", None),
        "optimizer_t": state["t"] if state else None,
        "loss_curve": model.loss_curve_,
        "validation_loss_curve": model.validation_loss_curve_,
        "validation_scores": model.validation_scores_,
        "n_iter": model.n_iter_,
        "stopped": model.history_.stopped,
        "table": getattr(model, "table_", None),
    }
    write_arrays(Path(path), arrays, description, "byhand")


def write_arrays(path: Path, arrays: dict[str, Any], description: dict[str, Any], key: str) -> None:
    """Arrays and plain data in one safetensors file, whole or not at all; `key` says what kind of file it is.

    Raises: DataError: the file cannot be written.
    """
    text = json.dumps({_DIGEST: _NO_DIGEST, **description}, ensure_ascii=True, allow_nan=False)
    contiguous = {n: np.ascontiguousarray(a) for n, a in arrays.items()}
    content = _safetensors().save(contiguous, metadata={key: text})
    digest = hashlib.sha256(content).hexdigest()
    place = _PLACE.search(content)
    assert place is not None  # the first: metadata stand before the arrays, whatever these are called
    write_atomically(path, content[: place.start(1)] + digest.encode() + content[place.end(1) :])


def read_arrays(path: Path, key: str, kind: str, without_digest: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `write_arrays` wrote.

    Args:
        path: the file.
        key: what kind of file it is.
        kind: the same in words.
        without_digest: the last format that had no digest; such a file is read, with a warning.
    Raises: DataError: no such file, or not a whole one of that kind.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a null character
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DataError(f"cannot read {path}: {reason.lower()}") from None
    place = _PLACE.search(content)
    whole = place is not None and place[1] == _digest_of(content, place).encode()
    try:
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length])["__metadata__"]
        arrays, description = _safetensors().load(content), json.loads(metadata[key])
        version = description["format"]
    except ByhandError:
        raise
    except Exception:  # whatever a damaged file makes of itself
        raise _damaged(path, kind) from None
    if not whole:
        if place is not None or _DIGEST in description or version != without_digest:
            raise _damaged(path, kind)
        warnings.warn(
            f"{path} is of an earlier version of byhand and has no digest: damage to it would not be noticed; saved "
            "again, it has one",
            stacklevel=3,
        )
    return arrays, description


def _digest_of(content: bytes, place: re.Match[bytes]) -> str:
    """The digest of a file whose own stands at a place."""
    found = hashlib.sha256(memoryview(content)[: place.start(1)])
    found.update(_NO_DIGEST.encode())
    found.update(memoryview(content)[place.end(1) :])
    return found.hexdigest()


def _damaged(path: Path, kind: str) -> DataError:
    return DataError(
        f"{path} is not a whole {kind} of byhand: it is damaged, cut off, or another kind of file",
        "copy it again from where it came from, or train again",
    )


def load(path: str | os.PathLike[str]) -> Any:
    """Read a model that `save` wrote: a fitted estimator.

    Raises: DataError: no such file, or not a whole model of byhand.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise DataError(f"a path is needed, not {shown(path)}")
    where = Path(path)
    arrays, d = read_arrays(where, "byhand", "model", WITHOUT_DIGEST)
    if d["format"] not in (WITHOUT_DIGEST, FORMAT):
        raise DataError(f"{where} has format {d['format']}, this version of byhand reads {FORMAT}")
    try:
        return _rebuilt(d, arrays)
    except Exception:  # whatever a damaged file without a digest, or a forged one, makes of itself
        raise _damaged(where, "model") from None


def _rebuilt(d: dict[str, Any], arrays: dict[str, Any]) -> Any:
    from byhand.train import estimators
    from byhand.train.coding import Coding
    from byhand.train.scaling import Scaling

    kinds = ("MLPClassifier", "MLPRegressor", "TableClassifier", "TableRegressor")
    settings = {k: _restored(v) for k, v in d["settings"].items() if v != _LEFT_OUT}
    if isinstance(settings.get("hidden_layer_sizes"), list):
        settings["hidden_layer_sizes"] = tuple(settings["hidden_layer_sizes"])
    if d["kind"] not in kinds:
        raise DataError(f"there is no {d['kind']}")
    model = getattr(estimators, d["kind"])(**settings)
    model._key = (tuple(d["sizes"]), tuple(d["activations"]), tuple(d["options"].items()))
    model.parameters_ = {n.partition(".")[2]: a for n, a in arrays.items() if n.startswith("parameter.")}
    for name in ("input", "target"):
        setattr(model, f"{name}_scaling_", Scaling(arrays[f"{name}.mean"], arrays[f"{name}.scale"]))
    model.n_features_in_ = d["features"]
    if d["feature_names"]:
        model.feature_names_in_ = np.array(d["feature_names"], object)
    if d["classes"] is not None:
        kind, values = d["classes"]
        model.classes_ = np.array(values, np.dtype(kind))
        model._multilabel = bool(d["multilabel"])
        model._coding = Coding(d["options"]["loss"], model._multilabel)
    else:
        model._one_output = bool(d["one_output"])
    model._weighted = bool(d.get("weighted", False))
    state = {n.partition(".")[2]: a for n, a in arrays.items() if n.startswith("optimizer.")}
    model.optimizer_state_ = {"t": d["optimizer_t"], **state} if d["optimizer_t"] is not None else None
    model.loss_curve_ = d["loss_curve"]
    model.loss_ = model.loss_curve_[-1] if model.loss_curve_ else None
    model.best_loss_ = min(model.loss_curve_, default=None)
    model.validation_loss_curve_, model.validation_scores_ = d["validation_loss_curve"], d["validation_scores"]
    model.n_iter_, model.n_layers_, model.n_outputs_ = d["n_iter"], len(d["sizes"]), d["sizes"][-1]
    model.history_ = History(model.loss_curve_, d["validation_loss_curve"], d["validation_scores"], d["stopped"])
    if d["table"] is not None:
        model.table_ = d["table"]
    shapes = {n: a.shape for n, a in model.parameters_.items()}
    if shapes != {n: tuple(s) for n, s in model.net_.shapes.items() if n in model.net_.parameters}:
        raise DataError("the arrays of the model do not fit its description")
    return model


__all__ = ["load", "save"]
