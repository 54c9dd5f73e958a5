"""Price sheets as CSV: what is written can be read, and every mistake in a file is named by its line."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.calculator import ANYWHERE, Area, LineKind, Scope
from pricing.csv_files import COLUMNS, LARGEST_FILE_BYTES, FileRefused, read_sheets, write_sheets
from pricing.currencies import SizeUnit
from pricing.drafts import PriceLine, SheetDraft

HEAD = ",".join(COLUMNS)
GOOD = "gcp,Contract,2026-12-01,USD,GB,storage,,any,0.02,our contract"


def mistakes_of(*lines: str) -> list[str]:
    with pytest.raises(FileRefused) as refused:
        read_sheets("\n".join([HEAD, *lines]).encode())
    return refused.value.mistakes


areas = st.one_of(
    st.just(ANYWHERE),
    st.sampled_from(["gcp-us-west1", "gcp-europe-west3"]).map(lambda code: Area(Scope.REGION, code)),
    st.sampled_from(["Europe", "North America"]).map(lambda name: Area(Scope.CONTINENT, name)),
)
prices = st.decimals(min_value=0, max_value=1000, places=6)
lines = st.one_of(
    st.builds(PriceLine, st.just(LineKind.STORAGE), st.just(ANYWHERE), areas, prices),
    st.builds(PriceLine, st.just(LineKind.TRANSFER), areas, areas, prices),
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20)


@given(
    st.lists(
        st.builds(
            SheetDraft,
            provider=st.sampled_from(["gcp", "aws"]),
            name=texts.map(str.strip).filter(bool),
            valid_from=st.dates(min_value=date(2020, 1, 1)),
            currency=st.sampled_from(["USD", "EUR", "CNY"]),
            unit=st.sampled_from(SizeUnit),
            source_note=texts.map(str.strip),
            lines=st.lists(lines, min_size=1, max_size=4).map(tuple),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda draft: (draft.provider, draft.name),
    )
)
def test_sheets_that_were_written_are_read_back_whatever_their_texts_hold(drafts):
    assert [read.draft for read in read_sheets(write_sheets(drafts).encode())] == drafts


def test_no_cell_is_a_formula_to_a_spreadsheet():
    sheet = SheetDraft(
        "gcp",
        "=1+1",
        date(2026, 12, 1),
        "USD",
        "@SUM(A1)",
        (PriceLine(LineKind.STORAGE, ANYWHERE, ANYWHERE, Decimal(1)),),
    )
    assert "gcp,'=1+1,2026-12-01,USD,GB,storage,,any,1,'@SUM(A1)" in write_sheets([sheet])


def test_a_sheet_knows_the_lines_of_the_file_it_stands_in():
    text = f"{HEAD}\n{GOOD}\n\naws,Other,2026-12-01,USD,GB,storage,,any,0.03,\n{GOOD.replace('any', 'gcp-us-west1')}\n"
    assert [(read.draft.name, read.line_numbers) for read in read_sheets(text.encode())] == [
        ("Contract", (2, 5)),
        ("Other", (4,)),
    ]


def test_semicolons_and_a_byte_order_mark_of_a_spreadsheet_are_read():
    text = f"{HEAD}\n{GOOD}\n".replace(",", ";")
    assert read_sheets(b"\xef\xbb\xbf" + text.encode())[0].draft.name == "Contract"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD.replace("storage", "gift"), "The charge is storage or transfer, not “gift”."),
        (GOOD.replace(",any,", ",,"), "to: “” is no place."),
        (GOOD.replace("storage,,", "transfer,,"), "from: “” is no place."),
        (GOOD.replace("0.02", "-1"), "A price cannot be -1"),
        (GOOD.replace("2026-12-01", "1.12.2026"), "valid_from is a day like 2026-12-01"),
        (GOOD.replace("USD", "DOLLAR"), "The currency is one of"),
        (GOOD.replace("GB", "TB"), "The unit is GB (10^9 bytes) or GiB (2^30 bytes)"),
    ],
)
def test_a_mistake_is_named_by_its_line(line, words):
    [mistake] = mistakes_of("aws,Right,2026-12-01,USD,GB,storage,,any,0.03,", line)
    assert mistake.startswith("Line 3: ")
    assert words in mistake


def test_every_mistake_of_a_file_is_told_at_once():
    bad = GOOD.replace("0.02", "x")
    assert len(mistakes_of(GOOD, bad, bad.replace("any", "mars:1"))) == 3


def test_lines_of_one_sheet_agree_on_its_day():
    assert mistakes_of(GOOD, GOOD.replace("2026-12-01", "2027-01-01").replace("any", "gcp-us-west1")) == [
        "Line 3: valid_from is “2027-01-01” here and “2026-12-01” in line 2."
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Line 1: the columns must be"),
        (b"provider,price\ngcp,1\n", "Line 1: the columns must be"),
        (HEAD.encode() + b"\n", "holds no price"),
        (HEAD.encode() + b"\ngcp,Contract\n", "Line 2: 2 cells instead of 10."),
        (HEAD.encode() + b'\n"gcp,Contract\n', "this is no CSV"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a\0b", "null character"),
        (b"x" * (LARGEST_FILE_BYTES + 1), "larger than"),
    ],
)
def test_what_is_no_such_file_is_refused_as_a_whole(data, words):
    with pytest.raises(FileRefused, match=words):
        read_sheets(data)


def test_of_a_hopeless_file_only_the_first_mistakes_are_told():
    mistakes = mistakes_of(*[GOOD.replace("0.02", "x")] * 80)
    assert len(mistakes) == 51
    assert mistakes[-1] == "And 30 more."


def test_a_file_from_before_sheets_had_a_unit_is_per_gb():
    head = HEAD.replace(",unit", "")
    assert head != HEAD
    [read] = read_sheets(f"{head}\n{GOOD.replace(',GB', '')}\n".encode())
    assert read.draft.unit is SizeUnit.GB
