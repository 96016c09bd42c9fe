"""
Hypothesis strategies for the values that the codecs write and read.
"""

from __future__ import annotations

from hypothesis import strategies as st
from mnemonic import Mnemonic

from punch.ice.candidate import MAX_CANDIDATES, Candidate, Kind
from punch.link.records import Control, Record, Type
from punch.nat.behavior import Allocation, Mapping, ObservedBehavior
from punch.nat.stun import (
    TRANSACTION_BYTES,
    BindingError,
    BindingIndication,
    BindingRequest,
    BindingSuccess,
    Message,
)
from punch.nat.verdict import AttemptReport
from punch.net.address import tcpAddress
from punch.net.outcome import Outcome
from punch.signaling.code import Code
from punch.signaling.messages import PIN_SIZE, Details, Note
from punch.trace.model import Lane, Mark, Span, Trace
from punch.yamux.frames import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE

jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)

# Addresses and candidates.

addresses = st.builds(tcpAddress, st.ip_addresses().map(str), st.integers(1, 65535))
candidates = st.builds(
    Candidate,
    st.sampled_from([each for each in Kind if each is not Kind.RELAYED]),
    addresses,
)

# NATs and STUN.

behaviors = st.builds(
    ObservedBehavior,
    st.sampled_from(Mapping),
    st.sampled_from(Allocation),
    st.integers(0, 8),
    st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(
        lambda pair: (min(pair), max(pair))
    ),
)
reports = st.builds(
    AttemptReport,
    st.none() | behaviors,
    st.frozensets(
        st.sampled_from([e.value for e in Outcome if e is not Outcome.FAILED])
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
_transactions = st.binary(min_size=TRANSACTION_BYTES, max_size=TRANSACTION_BYTES)
stunMessages: st.SearchStrategy[Message] = st.one_of(
    st.builds(BindingRequest, _transactions),
    st.builds(BindingIndication, _transactions),
    st.builds(BindingSuccess, _transactions, addresses),
    st.builds(
        BindingError,
        _transactions,
        st.integers(300, 699),
        st.text(max_size=60),
        st.lists(st.integers(0x4000, 0x7FFF), max_size=9, unique=True).map(tuple),
    ),
)

# What two peers tell each other through the rendezvous.

WORDLIST = Mnemonic("english").wordlist

pins = st.binary(min_size=PIN_SIZE, max_size=PIN_SIZE)
codes = st.builds(
    Code,
    st.integers(0, 999_999_999).map(str),
    st.lists(st.sampled_from(WORDLIST), min_size=2, max_size=8).map(tuple),
)
everyDetails = st.builds(
    Details,
    pins,
    st.lists(candidates, max_size=MAX_CANDIDATES).map(tuple),
    st.frozensets(st.text(), max_size=8),
    st.text(),
    st.text(),
)
notes = st.builds(
    Note,
    st.none() | behaviors,
    st.lists(
        st.builds(Candidate, st.just(Kind.PREDICTED), addresses),
        max_size=MAX_CANDIDATES,
    ).map(tuple),
)

# What passes on a link: records, and the frames of yamux.

records = st.lists(
    st.binary(max_size=300)
    | st.builds(
        Control,
        st.sampled_from([each for each in Type if each is not Type.DATA]),
        st.binary(max_size=50),
    ),
    max_size=12,
)


def joinedRecords(found: list[Record]) -> list[Record]:
    """
    Records with neighboring pieces of data put together.
    """
    whole: list[Record] = []
    for each in found:
        if isinstance(each, Control):
            whole.append(each)
        elif whole and isinstance(whole[-1], bytes):
            whole[-1] += each
        elif each:
            whole.append(each)
    return whole


_flags = st.integers(0, SYN | ACK | FIN | RST)
_streams = st.integers(1, 0xFFFFFFFF)
_numbers = st.integers(0, 0xFFFFFFFF)

frames = st.lists(
    st.tuples(st.just(DATA), _flags, _streams, st.binary(max_size=300))
    | st.tuples(st.just(WINDOW_UPDATE), _flags, _streams, _numbers)
    | st.tuples(st.sampled_from([PING, GO_AWAY]), _flags, st.just(0), _numbers),
    max_size=12,
)
"""
Lists of frames: type, flags, stream, and the payload or else the last number.
"""

# Traces.

_times = st.floats(0, 1e9).map(lambda at: round(at, 6))
_texts = st.text(max_size=40)
_spans = st.builds(
    lambda start, length, what, outcome, count: Span(
        start, round(start + length, 6), what, outcome, count
    ),
    _times,
    _times,
    _texts,
    _texts,
    st.integers(1, 1 << 30),
)
_lanes = st.builds(
    Lane,
    _texts,
    _texts,
    st.lists(_spans, max_size=4).map(tuple),
    st.lists(_spans, max_size=4).map(tuple),
    st.lists(st.builds(Mark, _times, _texts), max_size=4).map(tuple),
    _texts,
    st.booleans(),
)
traces = st.builds(
    Trace,
    _texts,
    _texts,
    _times,
    _times,
    _texts,
    _texts,
    st.lists(_lanes, max_size=4).map(tuple),
    st.none() | _times,
    st.none() | _times,
)
