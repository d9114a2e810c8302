"""Somebody else's functions: called on copies, answers read as NumPy arrays, misbehaviour put into words."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Callable, Container, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.errors import ByhandError, CheckError, DataError, nearest
from byhand.expr.given import refuse_masked
from byhand.threads import quiet_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = Any
_LIBRARIES = (  # where the code of others is: byhand's, Python's, and what was installed
    str(Path(__file__).resolve().parents[1]),
    *{sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(np.__file__).resolve().parents[1]),
)
Values = Mapping[str, Array]


def library_of(x: Any) -> str:
    """Where an array comes from: "torch", "jax" or "numpy"; nothing is imported to find out."""
    module = type(x).__module__.split(".")[0]
    return module if module == "torch" else "jax" if module in ("jax", "jaxlib") else "numpy"


def as_numpy(x: Any, name: str) -> Array:
    """The entries as a NumPy array.

    Raises: DataError: it is not an array of numbers.
    """
    refuse_masked(name, x)
    try:
        array = np.asarray(x.detach().cpu().resolve_conj().numpy() if library_of(x) == "torch" else x)
    except Exception as error:
        raise DataError(f"{name}: an array of numbers is needed, not a {type(x).__name__}", str(error)[:100]) from None
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:  # bfloat16 of JAX
        array = array.astype(np.float32)
    if array.dtype.kind not in "biufc":
        raise DataError(f"{name}: an array of numbers is needed, not {array.dtype}")
    return array


def like(original: Any, array: Array, precise: bool) -> Any:
    """The array in the library of the original; `precise` keeps its own precision, otherwise the original's."""
    library = library_of(original)
    if library == "torch":
        import torch

        made = torch.tensor(np.array(array), device=original.device)
        return made if precise else made.to(original.dtype)
    if library == "jax":
        from jax import numpy as jnp

        return jnp.asarray(array if precise else np.asarray(array, dtype=original.dtype))
    given = np.asarray(original)
    kind = np.asarray(array).dtype if precise else given.dtype
    copied = np.array(array, dtype=kind)
    return copied if isinstance(original, (np.ndarray, list, tuple)) else copied[()]


@contextmanager
def quiet_float64(values: Values) -> Iterator[None]:
    """NumPy without warnings; JAX, where the values are JAX arrays, with 64-bit numbers."""
    with ExitStack() as stack:
        stack.enter_context(np.errstate(all="ignore"))
        if any(library_of(v) == "jax" for v in values.values()):
            from byhand.check.oracles import jax_in_float64

            stack.enter_context(jax_in_float64())
        yield


@contextmanager
def errors_of(whose: str) -> Iterator[None]:
    """An error of a user's function as one of the check; an error of byhand's own stays what it is."""
    try:
        yield
    except ByhandError:
        raise
    except Exception as error:
        at = place_of(error)
        raise CheckError(f"{whose} raised {type(error).__name__}: {str(error)[:200]}", *([at] if at else [])) from error


def place_of(error: BaseException) -> str:
    """The line of the user's in which an error arose, with its file and number; "" where there is none.

    It is the last one that is neither byhand's nor of a library: what a library says of itself helps nobody.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(("<", *_LIBRARIES)):
            line = f": {frame.line}" if frame.line else ""
            return f"{Path(frame.filename).name}, line {frame.lineno}{line}"
    return ""


@dataclass(eq=False)
class Subject:
    """The loss and the gradient of a user, and the values to call them with.

    Attributes:
        loss: callable(**values) -> scalar, or None where the loss is an expression.
        gradient: callable(**values) -> {name: array}, or that dict.
        given: the values as given.
        arrays: the same as NumPy arrays; floating ones as float64.
        mutated: names of values that a call has changed in place, with the function that did it.
    """

    loss: Callable[..., Any] | None
    gradient: Callable[..., Any] | Mapping[str, Any]
    given: dict[str, Any]
    arrays: dict[str, Array]
    mutated: dict[str, str] = field(default_factory=dict)
    copies: dict[str, Any] = field(default_factory=dict, repr=False)
    looked_at: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def of(cls, loss: Any, gradient: Any, values: Any) -> Subject:
        """Read what the user gave.

        Raises: DataError: values is not a dict of finite arrays. CheckError: the gradient is no function and no dict.
        """
        if not isinstance(values, Mapping) or not values:
            raise DataError("values: a dict {name: array} of parameters and data is needed")
        if not callable(gradient) and not isinstance(gradient, Mapping):
            raise CheckError(
                f"gradient: a function or a dict {{name: array}} is needed, not a {type(gradient).__name__}"
            )
        arrays: dict[str, Array] = {}
        for name, value in values.items():
            array = as_numpy(value, str(name))
            if array.dtype.kind in "fc" and not np.all(np.isfinite(array)):
                raise DataError(f"{name}: not all entries are finite numbers")
            arrays[str(name)] = array.astype(np.float64) if array.dtype.kind == "f" else array.copy()
        return cls(loss, gradient, dict(values), arrays)

    @property
    def repeatable(self) -> bool:
        """Whether the gradient can be asked for at other values."""
        return callable(self.gradient)

    # ---- the loss

    def scalar(self, values: Values, fresh: Container[str] = ()) -> complex:
        """The loss at NumPy values, in the user's library at their precision; arrays made for this call are not copied.

        Raises: CheckError: it raises, or is not one number.
        """
        assert self.loss is not None
        made = {
            n: v if n in fresh and type(self.given[n]) is np.ndarray else self.copied(n, v) for n, v in values.items()
        }
        with quiet_float64(self.given), quiet_warnings(np.exceptions.ComplexWarning):
            with errors_of("the loss"):
                result = self.loss(**made)
            found = as_numpy(result, "the loss")
            kept = {n for n in self.looked_at if made[n] is self.copies[n]}  # looked at again when all calls are made
            self.notice({n: v for n, v in made.items() if n not in fresh and n not in kept}, values, "the loss")
            self.looked_at |= self.copies.keys()
        if found.size != 1 or (found.ndim > 0 and found.shape != (1,)):
            remedy = "return one number: sum or mean over samples, or the inner product with a random cotangent"
            raise CheckError(f"the loss is not a scalar: it has shape {found.shape}", remedy)
        return found.reshape(())[()]  # type: ignore[no-any-return]

    def copied(self, name: str, value: Array) -> Any:
        """A copy for the loss; that of the value given is used again as long as it is unchanged."""
        if value is not self.arrays[name]:
            return like(self.given[name], value, np.asarray(value).dtype.kind in "fc")
        if name not in self.copies or name in self.mutated:
            self.copies[name] = like(self.given[name], value, value.dtype.kind in "fc")
        return self.copies[name]

    def notice_copies(self) -> None:
        """Remember which copies that were used again and again some call has changed."""
        self.notice(self.copies, self.arrays, "the loss")

    # ---- the gradient

    def gradients(self, values: Values | None = None, precise: bool = False) -> dict[str, Array]:
        """What the gradient returns at NumPy values (by default those given), its arrays read but not judged.

        Raises: CheckError: it raises, or does not return a dict of arrays; a name is unknown.
        """
        if isinstance(self.gradient, Mapping):
            return self.read(self.gradient)
        at = self.arrays if values is None else values
        made = {n: like(self.given[n], v, precise and np.asarray(v).dtype.kind in "fc") for n, v in at.items()}
        coarse = {n: as_numpy(v, n).copy() for n, v in made.items() if as_numpy(v, n).dtype != np.asarray(at[n]).dtype}
        before = {n: coarse.get(n, np.asarray(v)) for n, v in at.items()}
        with ExitStack() as stack:
            stack.enter_context(np.errstate(all="ignore"))
            stack.enter_context(quiet_warnings())
            if precise or any(np.asarray(as_numpy(v, n)).dtype == np.float64 for n, v in self.given.items()):
                stack.enter_context(quiet_float64(self.given))
            with errors_of("the gradient"):
                result = self.gradient(**made)
            found = self.read(result)
            self.notice(made, before, "the gradient")
        return found

    def read(self, result: Any) -> dict[str, Array]:
        """The arrays of a dict of gradients, copied."""
        if not isinstance(result, Mapping):
            raise CheckError(
                f"the gradient returned a {type(result).__name__}: a dict {{name: array}} is needed",
                "return {'W1': dW1, 'b1': db1, ...} with the names of the values",
            )
        if not result:
            raise CheckError("the gradient returned an empty dict: there is nothing to check")
        for name in result:
            if name not in self.given:
                meant = str(name).removeprefix("d")
                near = f", did you mean `{meant}`?" if meant in self.given else nearest(meant, list(self.given))
                raise CheckError(
                    f"the gradient returned {name!r}, which is no value{near}", f"values: {', '.join(self.given)}"
                )
        return {str(n): np.array(as_numpy(g, f"the gradient of {n}")) for n, g in result.items()}

    def notice(self, made: Mapping[str, Any], before: Mapping[str, Array], who: str) -> None:
        """Remember which arguments a call changed in place."""
        for name, value in made.items():
            if not np.array_equal(as_numpy(value, name), before[name]):
                self.mutated.setdefault(name, who)


def hand_written(gradient: Any) -> str | None:
    """Whether this is a function with a hand-written backward: "torch", "jax", or None."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch is not None and isinstance(gradient, type) and issubclass(gradient, torch.autograd.Function):
        return "torch"
    if jax is not None and isinstance(gradient, jax.custom_vjp):
        return "jax"
    return None
