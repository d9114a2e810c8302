"""`byhand demo`: derive a network's gradients, check them, train with the generated code, write a report."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from byhand.cli.output import Failure, note, painter, save, terminal_width, write, writes_unicode

if TYPE_CHECKING:
    from byhand.check.report import Report
    from byhand.demo.digits import History
    from byhand.derive.derivation import Derivation

REPORT = "byhand-demo.html"
WANTED = 0.95  # test accuracy


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the report. [default: this one]"
)
@click.option("--quick", is_flag=True, help="A few epochs only, and no second opinions from JAX and PyTorch.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the split, the start and the order."
)
def demo(out: Path | None, quick: bool, seed: int) -> None:
    """Learn handwritten digits with a derived gradient.

    Derives the gradients of a network 64-32-10 (relu, softmax cross-entropy), prints the derivation, checks every step
    by numbers, trains on scikit-learn's digits with the generated NumPy code, and writes one HTML report. Exit code 1
    if the check fails or fewer than 95 % of the test digits are read.
    """
    from byhand.demo import digits
    from byhand.demo.page import Outcome, demo_page
    from byhand.report.curve import need_matplotlib

    began = time.perf_counter()
    need_matplotlib()  # first, so that a missing package is said at once
    data = digits.load(seed)
    job = digits.Job.of("64-32-10")
    _show(job.derivation)
    report = _checked(job.derivation, quick)
    note("training on scikit-learn's digits with the generated code ...")
    start = time.perf_counter()
    history, parameters = job.train(data, epochs=8 if quick else 40, seed=seed, watch=_watch)
    seconds = time.perf_counter() - start
    accuracy = digits.accuracy(job.predict(parameters, data.X_test), data.t_test)
    path = (out or Path()) / REPORT
    (out or Path()).mkdir(parents=True, exist_ok=True)
    save(path, demo_page(job, data, report, Outcome(history, accuracy, seconds, seed)))
    paint = painter(sys.stdout)
    verdict = "good" if accuracy >= WANTED else "bad"
    write(
        f"\n{paint('title', 'Training')}\n"
        f"  {len(data.X)} digits to learn from, {len(data.X_test)} kept for the test\n"
        f"  {history.epochs} epochs in {seconds:.1f} s\n"
        f"  loss {history.losses[0]:.3f} after the first epoch, {history.losses[-1]:.4f} after the last\n"
        f"  {paint(verdict, f'test accuracy {accuracy:.1%}')} (training accuracy {history.accuracies[-1]:.1%})\n"
        f"  {report.summary}\n"
        f"  report: {path}   ({time.perf_counter() - began:.1f} s in all)"
    )
    if accuracy < WANTED and not quick:
        raise Failure(f"the test accuracy {accuracy:.1%} is below {WANTED:.0%}", 1)


def _show(d: Derivation) -> None:
    from byhand.notation.document import document
    from byhand.notation.render import document_text

    write(document_text(document(d), not writes_unicode(), terminal_width(), painter(sys.stdout)))


def _checked(d: Derivation, quick: bool) -> Report:
    from byhand.check.check import check

    note("checking every step and gradient by numbers ...")
    report = check(d, oracles="quick" if quick else "installed")
    note(painter(sys.stderr)("good" if report.ok else "bad", report.summary))
    if not report.ok:
        note(report.text(failed_only=True))
        raise Failure("the check failed, so nothing is trained", 1)
    return report


def _watch(epoch: int, history: History) -> None:
    if epoch % 5 == 0 or epoch == 1:
        note(f"  epoch {epoch:>3}   loss {history.losses[-1]:.4f}   training accuracy {history.accuracies[-1]:.1%}")
