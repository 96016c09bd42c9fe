"""
Tables that are made of the code, so that they are never older than it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import cleandoc, getmembers, isclass
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.statemachine import StringList
from epytext import translate
from sphinx.util.docutils import SphinxDirective
from twisted.protocols import amp

from punch import errors, events, reasons
from punch.cli import tap
from punch.cli.rendezvous_tap import optionName
from punch.forwarding import errors as forwardingErrors
from punch.link import errors as linkErrors
from punch.nat import errors as natErrors
from punch.protocols import stdio
from punch.rendezvous import commands, relayerrors
from punch.rendezvous.server.limits import Limits
from punch.streams import errors as streamErrors

if TYPE_CHECKING:
    from sphinx.application import Sphinx

Row = tuple[str, ...]


def _sentence(subject: object) -> str:
    """
    The first paragraph of a docstring, on one line.
    """
    first = cleandoc(subject.__doc__ or "").partition("\n\n")[0]
    return " ".join(" ".join(translate(first.split("\n"))).split())


def _literal(text: object) -> str:
    return f"``{text}``" if str(text) else ""


def _own(module: Any, base: Any) -> list[Any]:
    """
    The classes that a module defines, in its order.
    """
    found = [
        each
        for _, each in getmembers(module, isclass)
        if issubclass(each, base) and each.__module__ == module.__name__
    ]
    order = list(vars(module).values())
    return sorted(found, key=order.index)


def reasonRows() -> Iterator[Row]:
    """
    Each reason that an error carries, and what it tells a person.
    """
    byReason = {
        each.__dict__["reason"]: each
        for module in (
            errors,
            forwardingErrors,
            linkErrors,
            natErrors,
            relayerrors,
            stdio,
            streamErrors,
        )
        for each in _own(module, errors.PunchError)
        if "reason" in each.__dict__
    }
    for reason in reasons.Reason:
        error = byReason.get(reason)
        if error is not None:
            branch = error.__mro__[1].__name__
            text = " ".join(cleandoc(error.__doc__ or "").split())
            yield _literal(reason.value), _literal(error.__name__), branch, text


def eventRows() -> Iterator[Row]:
    """
    The events, and their fields.
    """
    for each in _own(events, object):
        if hasattr(each, "event") and hasattr(each, "__dataclass_fields__"):
            named = (_literal(field.name.rstrip("_")) for field in fields(each))
            names = ", ".join(named)
            yield _literal(each.event), names, _sentence(each)


def limitRows() -> Iterator[Row]:
    """
    The limits of a rendezvous.
    """
    for each in fields(Limits):
        meaning = str(each.metadata["meaning"])
        yield _literal(f"--{optionName(each.name)}"), str(each.default), meaning


def optionRows() -> Iterator[Row]:
    """
    The options of C{twist punch}.
    """
    parameters: list[Any] = tap.Options.optParameters
    meanings = {str(name): str(text) for name, _, text in tap.Options.optFlags}
    meanings.update({each[0]: each[3] for each in parameters})
    meanings.update(tap.Options.repeatable)
    for name in sorted(meanings):
        yield _literal(f"--{name}"), meanings[name]


def refusalRows() -> Iterator[Row]:
    """
    What a command may be refused with, as it is called on the wire.
    """
    refusals: dict[Any, bytes] = {**commands.Hello.errors}
    for error, code in refusals.items():
        yield _literal(code.decode("ascii")), _literal(error.reason.value)


def _kindOf(argument: amp.Argument) -> str:
    """
    The type of an argument, for a person.
    """
    kind = type(argument).__name__
    if isinstance(argument, amp.ListOf):
        kind = f"ListOf({_kindOf(argument.elementType)})"
    return f"{kind}, optional" if argument.optional else kind


def _shapeOf(arguments: list[tuple[bytes, amp.Argument]]) -> str:
    """
    Named arguments and their types.
    """
    return "; ".join(
        f"{_literal(name.decode('ascii'))} {_kindOf(argument)}"
        for name, argument in arguments
    )


def commandRows() -> Iterator[Row]:
    """
    The commands between a peer and the rendezvous.
    """
    for each in _own(commands, amp.Command):
        answer = _shapeOf(each.response) if each.requiresAnswer else "no answer"
        yield (
            _literal(each.commandName.decode("ascii")),
            _shapeOf(each.arguments),
            answer or "empty",
        )


_TABLES: dict[str, tuple[Row, Callable[[], Iterator[Row]]]] = {
    "reasons": (("Reason", "Error", "Branch", "Sentence"), reasonRows),
    "events": (("Event", "Fields", "Meaning"), eventRows),
    "limits": (("Option", "Default", "At most this many"), limitRows),
    "options": (("Option", "Meaning"), optionRows),
    "refusals": (("Error code", "Reason"), refusalRows),
    "commands": (("Command", "Arguments", "Answer"), commandRows),
}


class Table(SphinxDirective):
    """
    C{.. punch-table:: NAME}
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """
        The table.
        """
        head, rows = _TABLES[self.arguments[0]]
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for row in (head, *rows()):
            for index, cell in enumerate(row):
                lines.append(f"   {'*' if index == 0 else ' '} - {cell}")
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, "punch-table"), 0, holder)
        return list(holder.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Sphinx asks for this.
    """
    app.add_directive("punch-table", Table)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
