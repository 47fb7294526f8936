"""``actorflow completion``, and the answers a shell gets when it completes."""

from __future__ import annotations

import os
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class, split_arg_string

from actorflow.cli.helping import COMPLETE_VARIABLE, NAME, Command

_SHELLS: Final = ("bash", "zsh", "fish")

# Click's own script leaves words as bash breaks them, which is at each colon too; and ids have colons.
_BASH: Final = """\
%(complete_func)s() {
    local line=${COMP_LINE:0:COMP_POINT} answer value
    local word=${line##*[[:space:]]}
    COMPREPLY=()
    while IFS= read -r answer; do
        value=${answer#*,}
        case ${answer%%,*} in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) printf -v value %%q "${value#"${word%%"$2"}"}"; COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_LINE=$line %(complete_var)s=bash_complete "${1/#\\~/$HOME}")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(ShellComplete):
    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """See `ShellComplete.get_completion_args`: the command line up to the cursor, not yet in words."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """See `ShellComplete.format_completion`."""
        return f"{item.type},{item.value}"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete our commands.

    It completes commands, options, and the ids of workflows in the journal that --db or ACTORFLOW_DB names.

    \b
    bash  eval "$(actorflow completion bash)"   in ~/.bashrc
    zsh   eval "$(actorflow completion zsh)"    in ~/.zshrc
    fish  actorflow completion fish | source    in ~/.config/fish/config.fish
    """
    click.echo(_completer(context.find_root().command, shell).source())


def answer(root: click.Command, instruction: str) -> None:
    """Print the completions a shell has asked for, as its script wants them.

    Args:
        root: the program.
        instruction: ``bash_complete``, say.
    """
    shell = instruction.partition("_")[0]
    if shell in _SHELLS:
        click.echo(_completer(root, shell).complete())


def _completer(root: click.Command, shell: str) -> ShellComplete:
    found = _Bash if shell == "bash" else get_completion_class(shell)
    assert found is not None  # click knows the shells of _SHELLS
    return found(root, {}, NAME, COMPLETE_VARIABLE)
