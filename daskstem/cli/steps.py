"""One command per registered step, its options read from the step's signature."""

from typing import TYPE_CHECKING, Any, get_args, get_origin

import click

from daskstem.cli.completion import choices, stores
from daskstem.cli.help import Command, Group
from daskstem.cli.options import resource_options
from daskstem.schema.errors import InputError, MissingVariableError

if TYPE_CHECKING:
    from daskstem.schema.parameters import Parameter


class StepGroup(Group):
    """Lists the registry's steps; the registry is imported only when this is asked."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of the steps whose products are stored."""
        from daskstem.steps.registry import STEPS

        return [name for name, entry in STEPS.items() if entry.kind != "view"]

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command of one step."""
        from daskstem.steps.registry import STEPS

        return _command(cmd_name) if cmd_name in STEPS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with those there are."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            known = ", ".join(self.list_commands(ctx))
            raise InputError(f"no step {args[0]!r}; the steps are {known}")
        return super().resolve_command(ctx, args)


def _command(name: str) -> click.Command:
    from daskstem.schema.parameters import parameters_of
    from daskstem.steps.registry import STEPS

    entry = STEPS[name]
    parameters = parameters_of(entry.function)

    def call(store: str, **given: Any) -> None:
        from daskstem.cli.tables import show_summary
        from daskstem.run.execute import run_step

        own = {key: given.pop(key) for key in parameters}
        chosen = {key: _value(text) for key, text in own.items() if text is not None}
        try:
            show_summary(run_step(name, store, parameters=chosen, **given))
        except MissingVariableError as error:
            raise InputError(
                f"{error}: 'daskstem step {error.made_by} {store}', or all steps of a recipe: "
                f"'daskstem run default {store}'"
            ) from error

    command = click.command(name, cls=Command, help=entry.about, examples=_examples(name))(
        resource_options(call)
    )
    own = [_option(parameter) for parameter in parameters.values()]
    command.params = [click.Argument(["store"], shell_complete=stores), *own, *command.params]
    return command


def _option(parameter: "Parameter") -> click.Option:
    from daskstem.schema.parameters import describe

    rules = " ".join(f"({rule})" for rule in parameter.rules)
    about = f"{describe(parameter.annotation)} {rules} [default: {_text(parameter.default)}]"
    flag = "--" + parameter.name.replace("_", "-")
    words = choices(parameter.annotation)

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
        return [word for word in words if word.startswith(typed)]

    return click.Option(
        [flag, parameter.name], help=about, metavar="VALUE", shell_complete=complete
    )


def _examples(name: str) -> list[str]:
    """Return the step by itself, and with one of its parameters at its default."""
    from daskstem.schema.parameters import defaults_of
    from daskstem.steps.registry import STEPS

    plain = f"daskstem step {name} scan.zarr"
    given = [(k, v) for k, v in defaults_of(STEPS[name].function).items() if v is not None]
    if not given:
        return [plain]
    key, value = given[0]
    return [plain, f"{plain} --{key.replace('_', '-')} {_text(value)}"]


def _value(text: str) -> Any:
    """Read a value as TOML does; what is no TOML value is a text, a list needs no brackets."""
    import tomllib

    for candidate in (text, f"[{text}]" if "," in text else text):
        try:
            return tomllib.loads(f"value = {candidate}")["value"]
        except tomllib.TOMLDecodeError:
            continue
    return text


def _text(default: Any) -> str:
    if default is None:
        return "chosen from the data"
    if get_origin(default) is None and not get_args(default) and isinstance(default, tuple):
        return ",".join(str(part) for part in default)
    return str(default)
