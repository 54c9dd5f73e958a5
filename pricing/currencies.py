"""The currencies a price sheet may be in, and the unit it sells bytes by. Pure."""

from __future__ import annotations

from enum import StrEnum

# ISO 4217: those that clouds write bills in, and those of the countries their customers sit in.
CURRENCIES = {
    "USD": "US dollar",
    "EUR": "Euro",
    "GBP": "Pound sterling",
    "CNY": "Chinese yuan",
    "JPY": "Japanese yen",
    "AED": "UAE dirham",
    "ARS": "Argentine peso",
    "AUD": "Australian dollar",
    "BRL": "Brazilian real",
    "CAD": "Canadian dollar",
    "CHF": "Swiss franc",
    "CLP": "Chilean peso",
    "COP": "Colombian peso",
    "CZK": "Czech koruna",
    "DKK": "Danish krone",
    "EGP": "Egyptian pound",
    "HKD": "Hong Kong dollar",
    "HUF": "Hungarian forint",
    "IDR": "Indonesian rupiah",
    "ILS": "Israeli new shekel",
    "INR": "Indian rupee",
    "KRW": "South Korean won",
    "MXN": "Mexican peso",
    "MYR": "Malaysian ringgit",
    "NOK": "Norwegian krone",
    "NZD": "New Zealand dollar",
    "PEN": "Peruvian sol",
    "PHP": "Philippine peso",
    "PLN": "Polish zloty",
    "RON": "Romanian leu",
    "SAR": "Saudi riyal",
    "SEK": "Swedish krona",
    "SGD": "Singapore dollar",
    "THB": "Thai baht",
    "TRY": "Turkish lira",
    "TWD": "New Taiwan dollar",
    "UAH": "Ukrainian hryvnia",
    "VND": "Vietnamese dong",
    "ZAR": "South African rand",
}
USD = "USD"
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
"""Signs that mean one currency only; the others are written by their code."""
WITHOUT_CENTS = frozenset({"CLP", "JPY", "KRW", "VND"})


class SizeUnit(StrEnum):
    """What a sheet's prices are per; its value stands beside them on every page."""

    GB = "GB"
    GIB = "GiB"

    @property
    def size_bytes(self) -> int:
        return 2**30 if self is SizeUnit.GIB else 10**9

    @property
    def meaning(self) -> str:
        """ "1 GB is 10⁹ bytes"."""
        return "1 GiB is 2³⁰ bytes" if self is SizeUnit.GIB else "1 GB is 10⁹ bytes"
