"""
What can run on a link: the base for plugins, and the protocols that come with punch.

The public name is here, and imported when it is first asked for, since C{twist} imports
our plugin file for whatever it runs.  The modules import the vocabulary and C{util}.
"""

from typing import TYPE_CHECKING

from punch.util.lazy import lazyNames

if TYPE_CHECKING:
    from punch.protocols.simple import SimpleProtocol

__all__ = ["SimpleProtocol"]

if not TYPE_CHECKING:  # A type checker has it from above.
    __getattr__, __dir__ = lazyNames(__name__, {"simple": "SimpleProtocol"})
