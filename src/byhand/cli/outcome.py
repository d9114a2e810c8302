"""What came of a fit of `byhand train`: scores beside the baseline, warnings, pictures, the report, and all of it in words."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from byhand.cli.output import Failure, save
from byhand.cli.run import Run
from byhand.views import columns

MOST_DRAWN = 10_000  # test samples of data that stay on disk, in pictures
MOST_CLASSES = 12  # that are printed one by one
SCORES = ("train", "test", "baseline")
STALL_SAMPLES = 2000  # on which it is decided whether learning stalled


def place_of(model: Any, output: Path) -> Path:
    """Where a model that was interrupted is saved: beside one that stands there, unless that is worse or not wanted.

    Of two models with validation scores of the same kind the better one is kept; else a terminal is asked.
    """
    from byhand.errors import ByhandError
    from byhand.train.saving import load

    if not output.exists():
        return output
    try:
        old = load(output)
    except ByhandError:  # no model, or a damaged one: somebody's file nevertheless
        old = None
    new_scores, old_scores = model.validation_scores_, getattr(old, "validation_scores_", None)
    if old is not None and new_scores and old_scores and type(old) is type(model) and old.monitor == model.monitor:
        replaced = max(new_scores) > max(old_scores)
    else:
        replaced = _asks() and click.confirm(f"Interrupted. Replace {output}?", default=False, err=True)
    return output if replaced else output.with_name(f"{output.stem}-interrupted{output.suffix}")


def _asks() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def judged(run: Run, cv: dict[str, Any] | None = None) -> dict[str, Any]:
    """Scores on the training and test samples, beside them those of the baseline, and the plan of a table's columns.

    Args:
        run: the fit.
        cv: of folds, where there are any: what is judged then.
    """
    from byhand.train.data.plan import told as plan_told
    from byhand.train.metrics import baseline_of, classes_of, metrics_of, verdict

    model = run.model
    training = metrics_of(model, run.X, run.y)
    tested = len(run.X_test) > 0
    X, y = (run.X_test, run.y_test) if tested else (run.X, run.y)
    scores = metrics_of(model, X, y) if tested else training
    baseline = baseline_of(model, run.y, y)
    if cv is not None:
        scores = {n: v["mean"] for n, v in cv["scores"].items()}
        guess = {n: v["mean"] for n, v in cv["baseline"].items() if n != "predicts"}
        baseline = (baseline[0], guess) if baseline and guess else baseline
    by_class: list[dict[str, Any]] = []
    if hasattr(model, "classes_") and y.ndim == 1:
        by_class = cv.pop("classes") if cv is not None else classes_of(y, model.predict(X), model.classes_)
    table = getattr(model, "table_", None)
    return {
        "columns": plan_told(table) if table else [],
        "train": training,
        "test": scores if tested else None,
        **({"cv": cv} if cv is not None else {}),
        "baseline": {"predicts": baseline[0], **baseline[1]} if baseline else None,
        "classes": by_class,
        "verdict": verdict(model, X, y, scores, training, baseline),
    }


def stalled(run: Run) -> str:
    """Why learning stalled, where it did and the flow of the gradient explains it; else nothing."""
    import numpy as np

    from byhand.train.flow import flow

    X, y = run.X[:STALL_SAMPLES], run.y[:STALL_SAMPLES]
    if y.ndim > 1:
        return ""
    if hasattr(run.model, "classes_"):
        _, counts = np.unique(y, return_counts=True)
        stalled = bool(np.mean(run.model.predict(X) == y) < (1 + counts.max() / len(y)) / 2)
    else:
        stalled = bool(run.model.score(X, y) < 1 / 2)
    found = flow(run.model, X, y).warnings if stalled else ()
    return f"learning stalled: {found[0]}" if found else ""


def drawn(run: Run, result: dict[str, Any], folder: Path | None, page: Path | None) -> dict[str, Any]:
    """Pictures and report, where they are wanted: what was written."""
    if run.recorder is None:
        return {}
    from byhand.report.training import save_figures, training_figures, training_page

    X, y = (run.X_test[:MOST_DRAWN], run.y_test[:MOST_DRAWN]) if len(run.X_test) else (run.X, run.y)
    figures = training_figures(run.model, run.recorder, X, y)
    drawn: dict[str, Any] = {}
    if folder is not None:
        drawn["pictures"] = [str(p) for p in save_figures(figures, folder)]
    if page is not None:
        from byhand.check.check import check
        from byhand.derive.derivation import derive

        report = check(derive(run.model.net_), oracles="quick")
        shown = {
            k: v
            for k, v in result.items()
            if v and k not in (*SCORES, "columns", "verdict", "pictures", "classes", "cv")
        }
        rows = [(k, f"{v:.4g}" if isinstance(v, float) else str(v)) for k, v in shown.items()]
        for part in SCORES:
            rows += [(f"{part} {k.replace('_', ' ')}", _number(v)) for k, v in (result[part] or {}).items()]
        rows += [
            (f"{result['cv']['folds']} folds, {k.replace('_', ' ')}", _spread(v))
            for k, v in result.get("cv", {}).get("scores", {}).items()
        ]
        rows += [(k, v) for k, found in (("column", result["columns"]), ("warning", result["verdict"])) for v in found]
        save(page, training_page(run.model, figures, rows, report))
        drawn |= {"report": str(page), "check": report.summary}
        if not report.ok:
            raise Failure(f"the check of the derivation failed: {page} shows where", 1)
    return drawn


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"


def _spread(value: dict[str, float]) -> str:
    return f"{value['mean']:.4f} ± {value['spread']:.4f}"


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def told_by_class(classes: list[dict[str, Any]]) -> str:
    """Recall and precision of each class, a line for each; of more than a screenful none."""
    if not 1 < len(classes) <= MOST_CLASSES:
        return ""
    heads = ("class", "samples", "recall", "precision")
    rows = [
        (str(c["class"])[:40], str(c["samples"]), *("-" if c[k] is None else f"{c[k]:.4f}" for k in heads[2:]))
        for c in classes
    ]
    return "".join(f"\n  {'' if k else 'by class':<8}  {line}" for k, line in enumerate(columns(heads, rows)))


def told(r: dict[str, Any]) -> str:
    """The result in words."""

    def words(metrics: dict[str, Any] | None) -> str:
        return "   ".join(f"{k.replace('_', ' ')} {_number(v)}" for k, v in (metrics or {}).items()) or "none kept"

    columns = "".join(f"\n  {'columns' if not k else ' ' * 7}   {line}" for k, line in enumerate(r["columns"]))
    baseline = dict(r["baseline"] or {})
    always = baseline.pop("predicts", "")
    guess = f"\n  baseline  {words(baseline)}   ({always})" if baseline else ""
    test = f"  test      {words(r['test'])}"
    if "cv" in r:
        folds = "   ".join(f"{k.replace('_', ' ')} {_spread(v)}" for k, v in r["cv"]["scores"].items())
        test = f"  {r['cv']['folds']} folds{' ' * (4 - len(str(r['cv']['folds'])))}{folds}"
    return (
        f"{r['net']}, {counted(r['samples'], 'sample')}, {counted(r['epochs'], 'epoch')} in {r['seconds']:.2f} s{columns}\n"
        f"  training  {words(r['train'])}\n{test}{guess}{told_by_class(r['classes'])}\n  model     {r['model']}"
        + (f"\n  pictures  {len(r['pictures'])} in {Path(r['pictures'][0]).parent}" if r.get("pictures") else "")
        + (f"\n  report    {r['report']}   ({r['check']})" if r.get("report") else "")
    )


__all__ = ["counted", "drawn", "judged", "place_of", "stalled", "told", "told_by_class"]
