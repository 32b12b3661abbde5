"""One command per registered step, its options read from the step's signature."""

from typing import Any, get_args, get_origin

import click

from daskstem.cli.options import resource_options


class StepGroup(click.Group):
    """Lists the registry's steps; the registry is imported only when this is asked."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of the steps whose products are stored."""
        from daskstem.steps.registry import STEPS

        return [name for name, entry in STEPS.items() if entry.kind != "view"]

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command of one step."""
        from daskstem.steps.registry import STEPS

        return _command(cmd_name) if cmd_name in STEPS else None


def _command(name: str) -> click.Command:
    from daskstem.schema.parameters import describe, parameters_of
    from daskstem.steps.registry import STEPS

    entry = STEPS[name]
    parameters = parameters_of(entry.function)

    def call(store: str, **given: Any) -> None:
        from daskstem.cli.tables import show_summary
        from daskstem.run.execute import run_step

        own = {key: given.pop(key) for key in parameters}
        chosen = {key: _value(text) for key, text in own.items() if text is not None}
        show_summary(run_step(name, store, parameters=chosen, **given))

    command = click.command(name, help=entry.about)(resource_options(call))
    command.params.insert(0, click.Argument(["store"]))
    for parameter in parameters.values():
        rules = " ".join(f"({rule})" for rule in parameter.rules)
        about = f"{describe(parameter.annotation)} {rules} [default: {_text(parameter.default)}]"
        flag = "--" + parameter.name.replace("_", "-")
        command.params.append(click.Option([flag, parameter.name], help=about, metavar="VALUE"))
    return command


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
