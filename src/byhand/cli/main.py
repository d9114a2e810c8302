"""`byhand`: the group of commands, its exit codes, and what it does with errors.

Exit codes: 0 done, 1 a check failed, 2 usage, text or shapes, 130 interrupted, 141 whoever read the output closed it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from byhand.cli.audit import audit
from byhand.cli.check import check
from byhand.cli.compile import compile_
from byhand.cli.completion import completion
from byhand.cli.demo import demo
from byhand.cli.derive import derive
from byhand.cli.describe import describe
from byhand.cli.doctor import doctor
from byhand.cli.explain import explain
from byhand.cli.net import net
from byhand.cli.output import Failure, note
from byhand.cli.predict import evaluate, export, predict
from byhand.cli.rules import rules
from byhand.cli.second import hessian, jacobian
from byhand.cli.train import train
from byhand.errors import ByhandError, CheckError

INTERNAL_ERROR = 3


class Commands(click.Group):
    """The group: errors of the library become messages with exit codes, an interruption one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CheckError as error:
            raise Failure(str(error), 1) from error
        except ByhandError as error:
            raise Failure(str(error), 2) from error
        except (KeyboardInterrupt, click.Abort):
            note("Interrupted.")
            raise click.exceptions.Exit(130) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="byhand", message="byhand %(version)s")
def cli() -> None:
    """Closed-form gradients of matrix expressions and networks: derived, explained, checked, compiled.

    \b
    byhand derive "sum((X @ w - y)**2)" --wrt w --shape X:m,n --shape w:n --shape y:m
    byhand net 784-300-10 --act relu --loss softmax_cross_entropy
    byhand rules "matrix product"

    Results go to standard output, notes to standard error. Exit codes: 0 done, 1 a check failed, 2 usage, text or
    shapes that do not fit.
    """


for command in (
    derive,
    jacobian,
    hessian,
    net,
    explain,
    compile_,
    check,
    audit,
    rules,
    train,
    predict,
    evaluate,
    export,
    describe,
    demo,
    doctor,
    completion,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: `byhand`, or `main([...])`; ends with SystemExit."""
    code = 0
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        result = cli.main(args=list(given), prog_name="byhand", standalone_mode=False, obj=given)
        code = result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        note("Interrupted.")
        code = 130
    except MemoryError as error:
        note(f"Error: this does not fit into memory{f': {error}' if str(error) else ''}")
        code = 2
    except Exception as error:
        if os.environ.get("BYHAND_DEBUG"):
            raise
        note(f"byhand: internal error: {type(error).__name__}: {error}")
        note("This is a mistake in byhand, not in your input. BYHAND_DEBUG=1 shows where it arose.")
        code = INTERNAL_ERROR
    sys.exit(code)


if __name__ == "__main__":
    main()
