"""The report of the demo: one HTML page with derivation, check, code and training."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from byhand.report.curve import Curve, line_chart
from byhand.report.report import Part, check_part, code_block, facts, page

if TYPE_CHECKING:
    from byhand.check.report import Report
    from byhand.demo.digits import Digits, History, Job


@dataclass(frozen=True)
class Outcome:
    """What training came to.

    Attributes:
        history: losses and accuracies.
        accuracy: on the test samples.
        seconds: of training.
        seed: of the split, the start and the order of samples.
    """

    history: History
    accuracy: float
    seconds: float
    seed: int


def demo_page(job: Job, data: Digits, report: Report, outcome: Outcome) -> str:
    """The page."""
    what = (
        f"<p>The gradients of a network {escape(job.sizes)} (relu, softmax cross-entropy) were derived in closed form, "
        "checked by numbers step by step, written out as NumPy code, and used to learn handwritten digits. Nothing on "
        "this page was computed by automatic differentiation; where JAX or PyTorch are named in the check, they are "
        "second opinions.</p>\n"
        f"<p>Result: <strong>{outcome.accuracy:.1%}</strong> of {len(data.X_test)} digits never trained on are read "
        "correctly.</p>\n"
    )
    hint = "<p>Hover over a symbol to see its definition and shape.</p>\n"
    parts = (
        Part("What this is", what),
        Part("Derivation", hint + job.derivation.html()),
        check_part(report),
        Part("Code", "<p>Generated from the derivation above.</p>\n" + code_block(job.derivation.code("numpy"))),
        Part("Training", training(data, outcome)),
    )
    return page("Digits, learned with a gradient derived by byhand", parts)


def training(data: Digits, outcome: Outcome) -> str:
    """The loss curve and the numbers."""
    h = outcome.history
    steps = len(h.batch_losses) / h.epochs
    curves = (
        Curve("minibatch", h.batch_losses, 1 / steps),
        Curve("all training digits", [h.batch_losses[0], *h.losses]),
    )
    description = (
        f"Cross-entropy falls from {h.batch_losses[0]:.2f} at the first minibatch to {h.losses[-1]:.4f} on all "
        f"training digits after {h.epochs} epochs."
    )
    chart = line_chart(curves, "Training loss", "epoch", "cross-entropy (log scale)", description, log=True)
    rows = (
        ("data", f"scikit-learn's digits, {len(data.X)} to learn from, {len(data.X_test)} for the test, standardised"),
        ("descent", f"minibatches of {h.batch}, momentum {h.momentum:g}, rate {h.rate:g}, {h.epochs} epochs"),
        ("seed", str(outcome.seed)),
        ("time", f"{outcome.seconds:.1f} s of training"),
        ("training loss", f"{h.losses[0]:.3f} after the first epoch, {h.losses[-1]:.4f} after the last"),
        ("training accuracy", f"{h.accuracies[-1]:.1%}"),
        ("test accuracy", f"{outcome.accuracy:.1%}"),
    )
    return f"<figure>{chart}<figcaption>{escape(description)}</figcaption></figure>\n{facts(rows)}\n"
