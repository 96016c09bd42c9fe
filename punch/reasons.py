"""
The reason codes: why something failed or ended.
"""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """
    The reason code of an error or of an end, for scripts to match on.

    Each error that is raised has one of its own (L{punch.errors.PunchError.reason}).
    """

    BAD_OPTION = "bad-option"
    BAD_ENDPOINT = "bad-endpoint"
    MALFORMED_CODE = "malformed-code"
    UNKNOWN_WORD = "unknown-word"
    BAD_SECRET_FILE = "bad-secret-file"
    BAD_IDENTITY = "bad-identity"
    PORT_IN_USE = "port-in-use"
    CANNOT_LISTEN = "cannot-listen"

    RENDEZVOUS_REFUSED = "rendezvous-refused"
    RENDEZVOUS_TIMED_OUT = "rendezvous-timed-out"
    RENDEZVOUS_NOT_FOUND = "rendezvous-not-found"
    RENDEZVOUS_CERTIFICATE = "rendezvous-certificate"
    PORT_HELD = "port-held"
    RENDEZVOUS_LOST = "rendezvous-lost"
    RENDEZVOUS_VIOLATION = "rendezvous-violation"
    UNSUPPORTED_VERSION = "unsupported-version"
    NO_SUCH_NAME = "no-such-name"
    NAME_TAKEN = "name-taken"
    BAD_NAME = "bad-name"
    TOO_MANY = "too-many"
    TOO_FAST = "too-fast"
    TOO_LARGE = "too-large"

    RELAY_BUSY = "relay-busy"
    RELAY_ADDRESS_BUSY = "relay-address-busy"
    TICKET_UNKNOWN = "ticket-unknown"
    TICKET_USED = "ticket-used"
    PEER_ABSENT = "peer-absent"
    RELAY_ONLY = "relay-only"
    RELAY_REFUSED = "relay-refused"
    RELAY_BYTES_SPENT = "relay-bytes-spent"
    RELAY_TIME_SPENT = "relay-time-spent"

    STUN_UNREACHABLE = "stun-unreachable"
    STUN_SILENT = "stun-silent"
    STUN_REFUSED = "stun-refused"
    STUN_VIOLATION = "stun-violation"

    WRONG_CODE = "wrong-code"
    UNPROVEN = "unproven"
    WRONG_PIN = "wrong-pin"

    PEER_NOT_FOUND = "peer-not-found"
    PEER_LEFT = "peer-left"
    PEER_SILENT = "peer-silent"
    NO_ANSWER = "no-answer"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NOT_ATTACHED = "not-attached"

    BOTH_RANDOM_MAPPING = "both-random-mapping"
    RANDOM_AGAINST_SEQUENTIAL = "random-against-sequential"
    SEARCH_FAILED = "search-failed"
    NO_SEARCH = "no-search"
    PREDICTION_FAILED = "prediction-failed"
    NO_SIMULTANEOUS_OPEN = "no-simultaneous-open"
    NO_COMMON_WAY = "no-common-way"
    NO_HAIRPIN = "no-hairpin"
    LISTENER_BLOCKS_OUTBOUND = "listener-blocks-outbound"
    DIALER_BLOCKS_OUTBOUND = "dialer-blocks-outbound"

    NO_LINK = "no-link"
    NO_SUCH_SERVICE = "no-such-service"
    TARGET_REFUSED = "target-refused"
    TOO_MANY_STREAMS = "too-many-streams"
    STREAM_REFUSED = "stream-refused"
    STREAM_RESET = "stream-reset"
    SERVICE_SILENT = "service-silent"
    GOING_AWAY = "going-away"

    DONE = "done"
    BETTER = "better"
    ABORTED = "aborted"
    PATH_LOST = "path-lost"
    PATH_SILENT = "path-silent"
    RESUME_EXPIRED = "resume-expired"
    UNKNOWN_LINK = "unknown-link"
    PEER_RESTARTED = "peer-restarted"
    PROTOCOL_VIOLATION = "protocol-violation"
    INPUT_FAILED = "input-failed"
    OUTPUT_FAILED = "output-failed"
    BUG = "bug"
    CANCELLED = "cancelled"
