"""`byhand completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

import click

SETUP = {
    "bash": 'eval "$(byhand completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(byhand completion zsh)"    in ~/.zshrc',
    "fish": "byhand completion fish | source    in ~/.config/fish/config.fish",
}


@click.command(epilog="\b\n" + "\n".join(SETUP.values()))
@click.argument("shell", type=click.Choice(list(SETUP)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in a shell."""
    from click.shell_completion import get_completion_class

    from byhand.cli.output import write

    kind = get_completion_class(shell)
    assert kind is not None
    source = kind(ctx.find_root().command, {}, "byhand", "_BYHAND_COMPLETE")
    write(source.source_template % source.source_vars())  # .source() would start a bash to learn its version
