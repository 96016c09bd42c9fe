"""
What is built of parts that must end again, however far the building came.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from typing_extensions import Self


class Built:
    """
    Stands while its C{with} block runs.
    """

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _build(self, stack: ExitStack) -> None:
        """
        Build it; C{stack} ends the parts.  By default there is nothing to build.
        """
