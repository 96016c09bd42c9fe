"""
Hypothesis strategies for values that several codecs carry.
"""

from __future__ import annotations

from hypothesis import strategies as st

from punch.nat.behavior import Allocation, Mapping, ObservedBehavior

behaviors = st.builds(
    ObservedBehavior,
    st.sampled_from(Mapping),
    st.sampled_from(Allocation),
    st.integers(0, 8),
    st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(
        lambda pair: (min(pair), max(pair))
    ),
)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
