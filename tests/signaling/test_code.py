"""
Tests for L{punch.signaling.code}.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given

from punch.errors import MalformedCode, UnknownWord
from punch.signaling.code import WORDS, Code, chooseWords, parseCode
from tests.support.strategies import WORDLIST, codes

ORBIT = Code("7", ("orbit", "lemon"))


@given(codes)
def test_shortened(code: Code) -> None:
    """
    Four letters of each word are enough, in any case.
    """
    typed = " ".join([code.name, *(word[:4].upper() for word in code.words)])
    assert parseCode(typed) == code


@pytest.mark.parametrize(
    "text",
    [
        "7-orbit-lemon",
        "7 orbit lemon",
        "  7-orbit-lemon\n",
        "7-ORBIT-Lemon",
        "7--orbit - lemon",
        "7_orbit.lemon,",
        "007-orbit-lemon",
        "7-orbi-lemo",
        "7 orbit\tlemon\r\n",
        "-7-orbit-lemon-",
    ],
)
def test_forgiving(text: str) -> None:
    """
    People type a code in many ways.
    """
    assert parseCode(text) == ORBIT


@pytest.mark.parametrize("space", ["\N{NO-BREAK SPACE}", "\N{EM SPACE}", "\f"])
def test_pasted(space: str) -> None:
    """
    A code that was pasted with some other white space in it or around it is the
    same code.
    """
    assert parseCode(f"7{space}orbit{space}lemon") == ORBIT
    assert parseCode(f"{space}7-orbit-lemon{space}") == ORBIT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-",
        "7",
        "7-orbit",
        "orbit-lemon",
        "orbit-7-lemon",
        "seven-orbit-lemon",
        "1234567890-orbit-lemon",
        "-1",
        "7x-orbit-lemon",
        "\N{ARABIC-INDIC DIGIT SEVEN}-orbit-lemon",
        "7" + "-orbit" * 9,
    ],
)
def test_malformed(text: str) -> None:
    """
    Text of another shape is not a code.
    """
    with pytest.raises(MalformedCode):
        parseCode(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("7-orbt-lemon", "did you mean orbit"),
        ("7-orbit-lemons", "did you mean lemon"),
        ("7-orb-lemon", ""),
        ("7-xyzzy-lemon", "'xyzzy'"),
        ("7-orbit-\N{CYRILLIC SMALL LETTER ES}at", ""),
        ("7-orbit-" + "x" * 1000, "'" + "x" * 20 + "'"),
    ],
)
def test_unknownWord(text: str, hint: str) -> None:
    """
    A word that is not on the list is named, with words that may have been meant.
    """
    with pytest.raises(UnknownWord) as caught:
        parseCode(text)
    assert hint in str(caught.value)
    assert len(caught.value.detail) < 80


def test_exactFirst() -> None:
    """
    A word that is the beginning of a longer one means itself.
    """
    ordered = sorted(WORDLIST)
    pairs = [
        word for word, following in pairwise(ordered) if following.startswith(word)
    ]
    assert pairs
    for word in pairs:
        assert parseCode(f"1-{word}-{word}").words == (word, word)


def test_wordsDiffer() -> None:
    """
    There are 2,048 words, told apart by four letters: two are 22 bits.
    """
    assert len(WORDLIST) == 2048
    assert len({word[:4] for word in WORDLIST}) == 2048


def test_chosen() -> None:
    """
    Two words from the list are chosen, others each time.
    """
    chosen = [chooseWords() for _ in range(200)]
    assert {len(words) for words in chosen} == {WORDS} == {2}
    assert set().union(*chosen) <= set(WORDLIST)
    assert max(Counter(chosen).values()) < 5


def test_secret() -> None:
    """
    The secret is the words; the name is no part of it.
    """
    assert ORBIT.secret == b"orbit-lemon"
    assert Code("8", ORBIT.words).secret == ORBIT.secret


def test_discreet() -> None:
    """
    C{repr} does not show the words, so they do not get into a log.
    """
    assert "orbit" not in repr(ORBIT)
    assert str(ORBIT) == "7-orbit-lemon"
