"""The options of the commands, made from those declared in `tflm_split/options.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tflm_split.errors import InputError
from tflm_split.options import FLAG, Declared, declared, taken

Command = TypeVar("Command", bound=Callable[..., Any])


def takes_options(*words: str, front: bool = False, **defaults: Any) -> Callable[[Command], Command]:
    """Give a command the options called `words`, or all options. An option that the user leaves out is None for it.

    `defaults` replace declared defaults, by word; these are passed to the command. With `front`, options and defaults are
    those of a Pareto front.
    """
    chosen = [option for option in declared() if option.word in words] if words else taken(front=front)

    def decorate(command: Command) -> Command:
        for option in reversed(chosen):
            default = defaults.get(option.word)
            shown = option.about.front_default if front else default
            command = _click_option(option, default, shown)(command)
        return command

    return decorate


def _click_option(option: Declared, default: Any, shown: Any) -> Callable[[Command], Command]:
    about = option.about
    if about.kind is FLAG:
        return click.option(
            option.flag,
            option.word,
            is_flag=True,
            flag_value=not option.default,
            default=default,
            help=_flag_help(option),
        )
    bare: dict[str, Any] = {} if about.kind.bare is None else {"is_flag": False, "flag_value": about.kind.bare}
    return click.option(
        option.flag,
        option.word,
        metavar=about.kind.metavar,
        **bare,
        callback=lambda context, parameter, text: _parsed(option, context, parameter, text, default),
        help=f"{about.help}  [{about.kind.range}; default: {option.default_text if shown is None else shown}]",
    )


def _flag_help(option: Declared) -> str:
    """The help of a flag: negated, where the flag switches off what is on by default."""
    text = option.about.help
    return f"Do not {text[:1].lower()}{text[1:]}" if option.default else text


def _parsed(
    option: Declared, context: click.Context, parameter: click.Parameter, text: str | None, default: Any
) -> Any:
    """The value of the text that the user gave. A wrong one is a usage error."""
    if text is None:
        return default
    kind = option.about.kind
    try:
        value = kind.from_text(text)
    except ValueError:
        value = text
    try:
        return kind.parse(option.word, value)
    except InputError as error:
        raise click.BadParameter(str(error), context, parameter) from None
