"""
The errors of one stream of a link, while the others go on.  As in L{punch.errors},
users read the docstrings.
"""

from __future__ import annotations

from punch.errors import PunchError
from punch.reasons import Reason


class StreamError(PunchError):
    """
    One of a link's streams failed, while the link went on.
    """


class NoSuchService(StreamError):
    """
    The other side offers nothing under this name; it must --expose it.
    """

    reason = Reason.NO_SUCH_SERVICE


class TargetRefused(StreamError):
    """
    The other side could not connect to what it offers under this name; is it
    running there?
    """

    reason = Reason.TARGET_REFUSED


class TooManyStreams(StreamError):
    """
    The link carries as many streams as the other side allows; try again when some
    have ended.
    """

    reason = Reason.TOO_MANY_STREAMS


class StreamRefused(StreamError):
    """
    The other side refused the stream, for a reason that we do not know; update
    the older side.
    """

    reason = Reason.STREAM_REFUSED


class StreamReset(StreamError):
    """
    The other side reset the stream before both had finished.
    """

    reason = Reason.STREAM_RESET


class ServiceSilent(StreamError):
    """
    The other side is there, but did not say in time whether we get this service.
    """

    reason = Reason.SERVICE_SILENT


class GoingAway(StreamError):
    """
    One side is about to stop, and opens no more streams.
    """

    reason = Reason.GOING_AWAY
