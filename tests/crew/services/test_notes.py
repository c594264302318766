"""Money in free text: amounts written plainly are always caught, the words of the trade never are."""

import pytest

from crew.services import MoneyInNote, money_in, refuse_money
from crew.services.notes import for_crew

LEAKS = [
    "$840.75", "Guest paid $1,200", "USD 840.75", "840.75 USD", "1200 dollars", "€ 450", "450€", "US$ 90", "２００ dollars",
    "$ 840", "&#36;840", "<b>$</b>840", "$\u200b840", "gross 840", "Gross: 840.75", "payout is 1121", "fee 151.34",
    "captain gets 150 net", "commission 280.25", "deposit 500 received", "balance 340 open", "price: 1575", "paid 250 today",
    "50 per hour", "25/hr", "18% of gross", "1.5k usd", "rate 50", "tip 40 for Ana", "pago 200 pesos", "840,75", "500 deposit",
    "USD840", "840USD", "840 buck", "CHF 900", "AUD 900", "₩9000", "840-dollar charter", "fifty dollars an hour", "50 cents",
    "eight hundred dollars", "grossed 1200", "tips: 200", "payment of 500", "charged 800", "charge is 800", "quoted 900",
    "amount 840", "earnings 840", "pays 900", "captain gets 150", "owed 200", "subtotal 840", "Gross:\n840", "%24840",
    "$\u0301840", "840 dólares", "propina 200", "gross840", "5 grand", "Gate code 4471. " * 700 + "$840",
]  # fmt: skip
INNOCENT = [
    "", "Meet at 1:30 PM, slip 12", "One guest uses a cane. Two vegetarians.", "12 life jackets aboard",
    "Call 619-555-0142 at the gate", "65 gross tons", "Gross tonnage 65", "Deposit the cooler by 12:30", "6 guests, 2 children",
    "Balance the load: 4 guests forward", "Wind 15 knots, course 240", "Gate code 4471", "Price party of 6", "Net weight 12 bags",
    "Depart 13:00, back 16:00", "University of San Diego, USD alumni", "32.72 N, 117.20 W", "30 May 2027", "Bring 50 feet of line",
    "Paid in full", "No fee talk with guests", "Rate the sail afterwards",
    "Charged 2 radios", "Total of 8 aboard", "Wind 12.50 kn", "Engine 1200.50 hours", "Tip the anchor 30 degrees",
    "Crew makes 2 trips", "RS 200 dinghy alongside", "50% more ice",
]  # fmt: skip


@pytest.mark.parametrize("text", LEAKS)
def test_an_amount_is_found(text: str) -> None:
    assert money_in(text) is not None


@pytest.mark.parametrize("text", INNOCENT)
def test_the_words_of_the_trade_are_not(text: str) -> None:
    assert money_in(text) is None


def test_the_refusal_names_the_words_and_what_to_do() -> None:
    with pytest.raises(MoneyInNote, match="“\\$840.75” looks like an amount with its currency: take the amount out"):
        refuse_money("He paid us $840.75 by card")


def test_a_clean_note_passes() -> None:
    refuse_money("One guest uses a cane.")


def test_what_slipped_in_by_another_door_is_not_shown() -> None:
    assert for_crew("gross 840.75") == ""
    assert for_crew("Bring a cake") == "Bring a cake"


@pytest.mark.parametrize(
    "text",
    [
        "9" * 10_000,
        "$" * 10_000,
        "gross " * 2_000,
        "1 " * 5_000,
        "<" * 10_000,
        "per 1" * 2_000,
        "%24" * 3_300,
        "total\n" * 1_600,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    import time

    started = time.perf_counter()
    money_in(text)

    assert time.perf_counter() - started < 1
