"""What the Tab key offers: recipes, stores, files and a recipe's parameters.

Every function here is asked by click with what was typed so far. Only names are looked up;
the registry of steps, which loads the compilers, is imported where steps are asked for.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

# After "=" or "/" more is to be typed: click's own scripts would add a space there.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' response kind value
    COMPREPLY=()
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
%(complete_var)s=bash_complete $1)
    for completion in $response; do
        IFS=',' read -r kind value <<< "$completion"
        if [[ $kind == file ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $kind == dir ]]; then
            COMPREPLY=()
            compopt -o dirnames
        else
            COMPREPLY+=("$value")
            if [[ $value == *[=/] ]]; then compopt -o nospace; fi
        fi
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local -a closed open response
    local kind key descr
    (( ! $+commands[%(prog_name)s] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
%(complete_var)s=zsh_complete %(prog_name)s)}")
    for kind key descr in ${response}; do
        if [[ $kind == file ]]; then
            _path_files -f
        elif [[ $kind == dir ]]; then
            _path_files -/
        elif [[ $key == *[=/] ]]; then
            open+=("$key")
        elif [[ $descr == _ ]]; then
            closed+=("${key//:/\\\\:}")
        else
            closed+=("$key:$descr")
        fi
    done
    if (( $#closed )); then _describe -V unsorted closed -U; fi
    if (( $#open )); then compadd -U -V unsorted -S '' -a open; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


@add_completion_class
class _Bash(BashComplete):
    """Bash, whose words end at ``=``: they are joined again before they are looked at."""

    source_template: ClassVar[str] = _BASH
    _typed_before = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return whole words before the cursor, and the one at it."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        place = int(os.environ["COMP_CWORD"])
        args, last = words[1:place], words[place] if place < len(words) else ""
        if last == "=":
            args, last = [*args, "="], ""
        if args[-1:] == ["="]:
            name = args[-2] if len(args) > 1 else ""
            # of an option and its value only the value is completed
            if name.startswith("-"):
                return args[:-1], last
            self._typed_before = f"{name}="
            return args[:-2], self._typed_before + last
        return args, last

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Leave out what stands before ``=``: Bash would write it twice."""
        return f"{item.type},{item.value.removeprefix(self._typed_before)}"


@add_completion_class
class _Zsh(ZshComplete):
    source_template: ClassVar[str] = _ZSH


def recipes(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Offer the recipes that come along, and TOML files."""
    from daskstem.run.bundled import recipe_names

    named = [name for name in recipe_names() if name.startswith(typed)]
    return _items([*named, *_paths(typed, (".toml",))])


def stores(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Offer stores, and the folders on the way to them."""
    return _items(_paths(typed, (".zarr",)))


def source_files(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Leave files to the shell, which knows their names best."""
    return [CompletionItem(typed, type="file")]


def settings(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Offer ``step.parameter=`` of the recipe's steps, and the values where they are few."""
    from daskstem.schema.parameters import parameters_of
    from daskstem.steps.registry import STEPS

    # an option that still lacks its value stops click's parser: arguments are left over
    recipe = ctx.params.get("recipe") or next(iter(ctx.args), None)
    names = _steps_of(recipe) or list(STEPS)
    found = []
    for step in names:
        for parameter in parameters_of(STEPS[step].function).values():
            key = f"{step}.{parameter.name}="
            found += [key] if not typed.startswith(key) else [
                key + value for value in choices(parameter.annotation)
            ]  # fmt: skip
    return _items([text for text in found if text.startswith(typed)])


def choices(annotation: Any) -> list[str]:
    """Return the words that an annotation admits; none if it admits any number or text."""
    if annotation is bool:
        return ["true", "false"]
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for part in get_args(annotation) for word in choices(part)]


def _steps_of(recipe: str | None) -> list[str]:
    """Return the steps of a recipe; none if it cannot be read, which is told when it runs."""
    from daskstem.run.recipe import read_recipe
    from daskstem.schema.errors import InputError

    try:
        return [] if recipe is None else [call.step.name for call in read_recipe(recipe).calls]
    except InputError:
        return []


def _paths(typed: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Yield what begins as typed: paths with a suffix, and folders with a slash."""
    folder, _, begun = typed.rpartition("/")
    inside = Path(f"{folder}/" if "/" in typed else ".")
    if not inside.is_dir():
        return
    for path in sorted(inside.iterdir()):
        if not path.name.startswith(begun) or (path.name.startswith(".") and not begun):
            continue
        text = f"{folder}/{path.name}" if "/" in typed else path.name
        if path.suffix in suffixes:
            yield text
        elif path.is_dir() and path.suffix != ".zarr":
            yield text + "/"


def _items(texts: Iterable[str]) -> list[CompletionItem[str]]:
    return [CompletionItem(text) for text in texts]
