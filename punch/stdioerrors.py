"""
What can go wrong with standard input and output, while the link is well.  (As in
L{punch.errors}, what a person reads is the docstring.)
"""

from __future__ import annotations

from punch.errors import LinkError
from punch.reasons import Reason


class InputFailed(LinkError):
    """
    Standard input could not be read to its end, so the link was aborted.
    """

    reason = Reason.INPUT_FAILED


class OutputFailed(LinkError):
    """
    Not everything that came could be written to standard output.
    """

    reason = Reason.OUTPUT_FAILED
