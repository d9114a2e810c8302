"""`check`: every step and every gradient of a derivation by numbers, at several points."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from byhand.arguments import names_in, sequence, whole_number
from byhand.check.compare import DERIVATIVE, SAME, Finding, GradientCheck
from byhand.check.draw import NoPointError, Point, draw_point
from byhand.check.numeric import worst_entry
from byhand.check.oracles import installed
from byhand.check.printed import line_rows
from byhand.check.report import Evidence, Report, Row, Unread
from byhand.check.small import small_twin
from byhand.check.steps import PARTED, Claim, Claims, Numbers, Side
from byhand.derive.derivation import Derivation
from byhand.derive.induction import Induction
from byhand.derive.record import Pairing
from byhand.errors import ByhandError, CheckError, MissingRuleError, nearest
from byhand.expr.nodes import Differential, Symbol

# name -> (what it is called in reports, the module it needs, tolerance, method of GradientCheck)
ORACLES: dict[str, tuple[str, str, float, Callable[[GradientCheck, Point], dict[Symbol, Finding]]]] = {
    "complex step": ("complex step", "numpy", DERIVATIVE, GradientCheck.complex_step),
    "numpy": ("NumPy code", "numpy", SAME, GradientCheck.numpy_code),
    "jax": ("JAX", "jax", SAME, GradientCheck.jax),
    "torch": ("PyTorch", "torch", SAME, GradientCheck.torch),
    "jax code": ("JAX code", "jax", SAME, GradientCheck.jax_code),
    "torch code": ("PyTorch code", "torch", SAME, GradientCheck.torch_code),
    "c code": ("C code", "cc", SAME, GradientCheck.c_code),
}
MOST_POINTS = 10_000
QUICK = ("complex step", "numpy")


def check(
    derivation: Derivation,
    seeds: int | Iterable[int] = 3,
    oracles: str | Iterable[str] = "installed",
    notation: str = "differential",
    level: str = "steps",
) -> Report:
    """Check a derivation by numbers: each step, each gradient, and each line as it is printed.

    The points are drawn from the declared domains on pairwise distinct prime sizes (integer dimensions stay as they
    are, unless the inputs would not fit: then the large ones are small, and a note says so). A step is right where both
    sides agree for random adjoints and differentials; a gradient, where it agrees with the derivative of the function as
    it was written, by complex step along random directions (and along every entry of small variables), and with what the
    oracles compute. Generated code is run at negative, zero, tied, tiny and huge values too, where it has to find what
    the interpreter finds. A printed line is read back by what its signs mean, and is right where both sides of it are the
    same numbers. Errors are relative and normwise; rounding noise is measured.

    Args:
        derivation: what `derive` returned.
        seeds: how many points, or their seeds.
        oracles: "quick" (complex step and the generated NumPy code), "installed" (these, JAX and PyTorch where they are
            installed: they take a second or more; and the generated code for both, and in C where there is a compiler),
            "all", or names: "complex step", "numpy", "jax", "torch", "jax code", "torch code", "c code".
        notation, level: the view whose lines are read back, as in `derivation.text`.
    Returns: a Report; `.ok` is True only if every row could be checked and is right. A library that lacks a function is
        left out, with a note; lines that cannot be read back are counted in the summary and listed in `.unread`.
    Raises: CheckError: an unknown oracle, or one whose library is not installed. DataError: sizes too large to check.
        ParseError: an unknown notation or level.
    """
    if isinstance(derivation, Induction):
        return derivation.check(seeds=seeds if isinstance(seeds, int) else len(tuple(seeds)), oracles=oracles)
    if not isinstance(derivation, Derivation):
        kind = type(derivation).__name__
        raise ByhandError(f"a derivation is needed, not a {kind}", "derive one first: byhand.check(byhand.derive(f))")
    chosen = _oracles(oracles)
    if isinstance(seeds, int):
        numbers = tuple(range(whole_number(seeds, "seeds", 0, MOST_POINTS)))
    else:
        numbers = tuple(whole_number(s, "a seed") for s in sequence(seeds, "seeds"))
    if not numbers:
        raise CheckError("seeds: at least one point is needed")
    derivation, shrunk = small_twin(derivation)
    points, reasons = _points(derivation, numbers)
    ways = dict.fromkeys(p.note for p in points if p.note)
    notes = {shrunk: None} if shrunk else {}
    notes |= {f"inputs without declared properties were drawn as {', '.join(ways)}": None} if ways else {}
    unread: tuple[Unread, ...] = ()
    if reasons:
        rows = _unchecked(derivation, chosen, reasons[0])
    else:
        with np.errstate(all="ignore"):
            claims = Claims(derivation)
            at = [Numbers(claims, p) for p in points]
            lines, unread = line_rows(derivation, at[0], notation, level)
            rows = [*step_rows(derivation, at), *gradient_rows(derivation, points, chosen, notes), *lines]
    heard = {row.by for row in rows if row.what == "gradient"}
    used = tuple(ORACLES[o][0] for o in chosen if ORACLES[o][0] in heard)
    return Report(tuple(rows), numbers, tuple(p.sizes for p in points), used, tuple(notes), unread)


def _oracles(wanted: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(wanted, str) and wanted == "installed":
        return tuple(name for name, (_, module, _, _) in ORACLES.items() if installed(module))
    if isinstance(wanted, str):
        names = {"quick": QUICK, "all": tuple(ORACLES)}.get(wanted, (wanted,))
    else:
        names = tuple(names_in(wanted, "oracles"))
    for name in names:
        if name not in ORACLES:
            known = ("quick", "installed", "all", *ORACLES)
            raise CheckError(f"no oracle is called {name!r}{nearest(str(name), known)}", f"known: {', '.join(known)}")
        if not installed(ORACLES[name][1]):
            remedy = f"pip install 'byhand[{name.removesuffix(' code')}]', or oracles='installed'"
            raise CheckError(f"{ORACLES[name][0]} is not installed", remedy)
    return tuple(name for name in ORACLES if name in names)


def _points(d: Derivation, seeds: Iterable[int]) -> tuple[list[Point], list[str]]:
    points, reasons = [], []
    for seed in seeds:
        try:
            points.append(draw_point(d, seed))
        except NoPointError as e:
            reasons.append(str(e))
    return points, reasons


def _unchecked(d: Derivation, chosen: Iterable[str], reason: str) -> list[Row]:
    """Nothing was checked, and each row says why."""
    steps = [Row("step", s.unit, s.rule, 0.0, SAME, "not checkable", reason) for s in d.steps]
    gradients = [
        Row("gradient", v.name, ORACLES[o][0], 0.0, ORACLES[o][2], "not checkable", reason)
        for v in d.variables
        for o in chosen
    ]
    return steps + gradients


# ---- steps


def step_rows(d: Derivation, at: list[Numbers]) -> list[Row]:
    """One row per step, with its largest error over the points; links between steps only where they are broken."""
    rows = []
    for claim in at[0].claims.rows:
        worst, where = 0.0, at[0]
        told = [n for n in at if not _parted(claim, n)]
        if not told:
            if claim.is_step:
                rows.append(Row("step", claim.unit, claim.rule, 0.0, claim.tolerance, "not checkable", PARTED))
            continue
        for n in told:
            error = _step_error(claim, n)
            if not error <= worst:
                worst, where = error, n
            if not worst <= claim.tolerance:
                break
        if worst <= claim.tolerance:
            if claim.is_step:
                rows.append(Row("step", claim.unit, claim.rule, worst, claim.tolerance, "right"))
            continue
        rows.append(
            Row("step", claim.unit, claim.rule, worst, claim.tolerance, "wrong", evidence=_evidence(d, claim, where))
        )
    return rows


def _parted(claim: Claim, n: Numbers) -> bool:
    try:
        return n.parted(claim)
    except (ByhandError, ValueError, np.linalg.LinAlgError):
        return False


def _step_error(claim: Claim, n: Numbers) -> float:
    try:
        return n.error(claim)
    except (ByhandError, ValueError, np.linalg.LinAlgError):  # shapes that do not fit: the step is no equation at all
        return float("inf")


def _evidence(d: Derivation, claim: Claim, n: Numbers) -> Evidence:
    """Both sides of a wrong step, as printed and as numbers."""
    sizes = n.point.words
    try:
        before, after = n.sides(claim)
        place, *numbers = worst_entry(before, after)
    except (ByhandError, ValueError, np.linalg.LinAlgError):
        place, numbers = "", [float("nan"), float("nan")]
    collected = claim.is_step and claim.kind in ("collect", "read off", "zero")
    words = "the sum of the contributions" if collected else _printed(d, claim.before)
    return Evidence(words, _printed(d, claim.after), sizes, place, (numbers[0], numbers[1]))


def _printed(d: Derivation, side: Side) -> str:
    """A side as the derivation prints it."""
    from byhand.notation.text import to_text
    from byhand.notation.writer import Writer

    try:
        writer = Writer(d)
        if isinstance(side, Pairing):
            return to_text(writer.pairing(side), names=writer.page)
        if isinstance(side, Differential):
            return f"d({_printed(d, side.arg)})"
        return to_text(writer.write(side), names=writer.page)
    except Exception as e:  # a side without a printed form must not hide that the step is wrong
        return f"({type(side).__name__} without a printed form: {type(e).__name__})"


# ---- gradients


def gradient_rows(d: Derivation, points: list[Point], chosen: Iterable[str], notes: dict[str, None]) -> list[Row]:
    """One row per variable and oracle, with its largest error over the points."""
    job = GradientCheck(d)
    found: dict[tuple[Symbol, str], list[tuple[Finding, Point]]] = {}
    for oracle in chosen:
        label, _, _, run = ORACLES[oracle]
        try:
            for point in points:
                for v, finding in run(job, point).items():
                    found.setdefault((v, oracle), []).append((finding, point))
        except (CheckError, MissingRuleError) as e:  # it lacks a function: the complex step stands by itself
            notes[f"{label} was left out: {e.message}"] = None
            found = {key: value for key, value in found.items() if key[1] != oracle}
        except Exception as e:
            reason = f"{label} failed: {type(e).__name__}: {e}".splitlines()[0]
            for v in d.variables:
                found[v, oracle] = [(Finding(float("inf"), note=reason), points[0])]
    pairs = [(v, oracle) for v in d.variables for oracle in chosen if (v, oracle) in found]
    return [_gradient_row(d, v, oracle, found[v, oracle]) for v, oracle in pairs]


def _gradient_row(d: Derivation, v: Symbol, oracle: str, findings: list[tuple[Finding, Point]]) -> Row:
    label, _, tolerance, _ = ORACLES[oracle]
    worst, point = max(findings, key=lambda f: f[0].error if f[0].error == f[0].error else float("inf"))
    note = next((f.note for f, _ in findings if f.note), "")
    if worst.error <= tolerance:
        return Row("gradient", v.name, label, worst.error, tolerance, "right", note)
    printed = _printed(d, d.gradients[v.name].root)
    evidence = Evidence(printed, f"the derivative by {label}", point.words, worst.place, worst.numbers)
    return Row("gradient", v.name, label, worst.error, tolerance, "wrong", worst.note, evidence)


__all__ = ["ORACLES", "QUICK", "check"]
