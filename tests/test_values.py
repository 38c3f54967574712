"""Amounts, dates and names are known again in other words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.values import Amount, Date, amount_of, date_of, is_name, is_negative, key_words, stands_for, stated


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("700 000", 700_000, ""),
        ("700,000", 700_000, ""),
        ("seven hundred thousand", 700_000, ""),
        ("one hundred and five", 105, ""),
        ("twenty-one", 21, ""),
        ("three million", 3_000_000, ""),
        ("3 million people", 3_000_000, ""),
        ("2.5 million", 2_500_000, ""),
        ("nearly 370 civilians", 370, ""),
        ("5%", 5, "percent"),
        ("5 percent", 5, "percent"),
        ("$5 million", 5_000_000, "$"),
        ("300 kilometres", 300, "km"),
        ("an estimated 50,000", 50_000, ""),
        ("1,234.5", 1234.5, ""),
    ],
)
def test_an_amount_is_read_in_digits_and_in_words(text: str, value: float, unit: str) -> None:
    amount = amount_of(text)
    assert amount is not None
    assert (amount.value, amount.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize("text", ["Resolution 2254", "hundreds of thousands", "Boeing 737", "", "…", "the 2nd", "men"])
def test_a_name_with_a_number_in_it_is_no_amount(text: str) -> None:
    found = amount_of(text)
    assert found is None or text == "the 2nd"


@pytest.mark.parametrize(
    ("text", "other", "excludes"),
    [
        ("370", "400", True),
        ("nearly 370", "around 500", True),  # 333..407 and 450..550
        ("nearly 370", "around 400", False),  # 333..407 and 360..440
        ("up to three million", "2.5 million", False),  # 0..3,000,000
        ("up to three million", "4 million", True),  # 4,000,000 rounded down is 3,500,000
        ("more than 5", "7", False),
        ("more than 5", "3", True),
        ("1.7 million", "1,720,000", False),  # 1,650,000..1,750,000
        ("5 percent", "300", False),  # a share is never compared with a count
        ("300 km", "190 miles", False),
        ("300 km", "350", True),
    ],
)
def test_two_amounts_exclude_each_other_when_no_number_fits_both(text: str, other: str, excludes: bool) -> None:
    one, two = amount_of(text), amount_of(other)
    assert one is not None
    assert two is not None
    assert one.excludes(two) is two.excludes(one) is excludes


def test_the_same_number_is_the_same_whatever_stands_around_it() -> None:
    assert Amount(370, 333, 407).same_as(Amount(370, 370, 370))
    assert not Amount(5, 5, 5, "percent").same_as(Amount(5, 5, 5))
    assert amount_of("over $2 billion") == Amount(2e9, 2e9, math.inf, "$")


@pytest.mark.parametrize(
    ("text", "asks_when", "date"),
    [
        ("December 1", False, Date(None, 12, 1)),
        ("1st December 2019", False, Date(2019, 12, 1)),
        ("in the spring of 1990", True, Date(1990)),
        ("1990", False, None),
        ("1939 to 1945", True, None),
        ("370", True, None),
    ],
)
def test_a_date_is_read_as_far_as_it_is_given(text: str, asks_when: bool, date: Date | None) -> None:
    assert date_of(text, asks_when=asks_when) == date


def test_dates_agree_when_one_refines_the_other_and_exclude_each_other_when_a_part_differs() -> None:
    assert Date(None, 12, 1).same_as(Date(2019, 12))
    assert not Date(None, 12, 1).excludes(Date(2019))
    assert not Date(None, 12, 1).same_as(Date(2019))
    assert Date(1990).excludes(Date(1992))
    assert Date(None, 12, 1).excludes(Date(None, 12, 2))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the President's car", ("car",)),
        ("the U.S. army", ("us", "army")),
        ("U S army", ("us", "army")),
        ("Turkey s Erdogan", ("turkey", "erdogan")),
        ("Turkey’s Erdogan", ("turkey", "erdogan")),
        ("Col Myles Caggins", ("myles", "caggins")),
        ("The President", ("the", "president")),
    ],
)
def test_articles_titles_possessives_and_case_do_not_tell_answers_apart(text: str, words: tuple[str, ...]) -> None:
    assert key_words(text) == words


@pytest.mark.parametrize(
    ("short", "long", "same"),
    [
        ("the WSJ", "Wall Street Journal", True),
        ("UN", "the United Nations", True),
        ("U S", "United States", True),
        ("OCHA", "Office for the Coordination of Humanitarian Affairs", True),
        ("HTS", "Hayat Tahrir al Sham", True),
        ("US", "United Nations", False),
        ("un", "United Nations", False),
        ("WSJ", "WSJ", False),
    ],
)
def test_initials_stand_for_a_name(short: str, long: str, same: bool) -> None:
    assert stands_for(short, long) is same


def test_a_name_is_written_in_capitals() -> None:
    assert all(map(is_name, ("Col Myles Caggins", "Hayat Tahrir al Sham", "the University of Warsaw")))
    assert not any(map(is_name, ("US designated terrorist organization", "walls", "December", "370", "")))


def test_a_statement_and_its_denial_are_known_by_the_same_words() -> None:
    assert stated("The army did not enter Saraqib") == stated("The army entered Saraqib")
    assert is_negative("The army didn't enter")
    assert is_negative("The army didn t enter")
    assert not is_negative("The army entered")
    assert not is_negative("nobody did not enter")


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    amount = amount_of(text)
    assert amount is None or amount.low <= amount.value <= amount.high
    date_of(text, asks_when=True)
    key_words(text), is_name(text), stated(text), stands_for(text, text)


@given(st.integers(0, 10**15), st.sampled_from([",", " ", ""]))
def test_a_whole_number_is_read_however_its_digits_are_grouped(number: int, between: str) -> None:
    amount = amount_of(f"{number:,}".replace(",", between))
    assert amount is not None
    assert amount.value == number
