"""Price sheets as CSV files: what a spreadsheet saves can be read back, and every mistake is named by its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from accounts.csv_cells import safe_cell
from pricing.calculator import ANYWHERE, LineKind
from pricing.currencies import CURRENCIES, SizeUnit
from pricing.drafts import PriceLine, SheetDraft, read_area, read_price, write_area

COLUMNS = ("provider", "sheet", "valid_from", "currency", "unit", "charge", "from", "to", "price", "source")
# Files written before sheets had a unit: their prices are per GB.
DEFAULTS = {"unit": SizeUnit.GB.value}
_OF_THE_SHEET = ("valid_from", "currency", "unit", "source")
LARGEST_FILE_BYTES = 1_000_000
MOST_LINES = 5000
MOST_MISTAKES = 50


class FileRefused(ValueError):
    """A file with mistakes: one sentence for each, with its line."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = list(mistakes)
        super().__init__(" ".join(self.mistakes))


@dataclass(frozen=True)
class ReadSheet:
    """A draft, and the lines of the file its prices stand in; the first one speaks for the sheet as a whole."""

    draft: SheetDraft
    line_numbers: tuple[int, ...]


def write_sheets(drafts: Iterable[SheetDraft]) -> str:
    """One line per price. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for draft in drafts:
        for line in draft.lines:
            row = [
                draft.provider,
                draft.name,
                draft.valid_from.isoformat(),
                draft.currency,
                draft.unit.value,
                line.kind.value,
                "" if line.kind is LineKind.STORAGE else write_area(line.source),
                write_area(line.target),
                f"{line.price.normalize():f}",
                draft.source_note,
            ]
            writer.writerow([_defused(cell) for cell in row])
    return file.getvalue()


def read_sheets(data: bytes) -> list[ReadSheet]:
    """The sheets of a file that `write_sheets` could have written, in its order; FileRefused with every mistake.

    Lines of one provider and sheet belong together and must agree on day, currency, unit and source.
    """
    rows = _rows(data)
    mistakes: list[str] = []
    sheets: dict[tuple[str, str], list[tuple[int, dict[str, str], PriceLine | None]]] = {}
    for number, row in rows:
        line, wrong = _line(row)
        first = sheets.setdefault((row["provider"], row["sheet"]), [])
        if first:
            wrong += [
                f"{column} is “{row[column][:60]}” here and “{first[0][1][column][:60]}” in line {first[0][0]}."
                for column in _OF_THE_SHEET
                if row[column] != first[0][1][column]
            ]
        else:
            wrong += _head_mistakes(row)
        first.append((number, row, line))
        mistakes += [f"Line {number}: {sentence}" for sentence in wrong]
    if mistakes:
        raise FileRefused(_shortened(mistakes))
    return [_sheet(lines) for lines in sheets.values()]


def _rows(data: bytes) -> list[tuple[int, dict[str, str]]]:
    if len(data) > LARGEST_FILE_BYTES:
        raise FileRefused([f"The file is larger than {LARGEST_FILE_BYTES:,} bytes."])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(
            [f"The file is not UTF-8 text (byte {error.start + 1:,}). Save it as CSV in UTF-8."]
        ) from error
    if "\0" in text:
        raise FileRefused(["The file holds a null character, so it is no CSV file."])
    # Spreadsheets of half the world separate by semicolons.
    head = text.partition("\n")[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if len(set(names)) < len(names) or not set(COLUMNS) - DEFAULTS.keys() <= set(names) <= set(COLUMNS):
            raise FileRefused([f"Line 1: the columns must be {', '.join(COLUMNS)}."])
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                raise FileRefused([f"Line {reader.line_num}: {len(cells)} cells instead of {len(names)}."])
            if len(rows) == MOST_LINES:
                raise FileRefused([f"The file has more than {MOST_LINES:,} prices."])
            rows.append(
                (reader.line_num, DEFAULTS | {name: _plain(cell) for name, cell in zip(names, cells, strict=True)})
            )
    except csv.Error as error:
        raise FileRefused([f"Line {reader.line_num}: this is no CSV ({error})."]) from error
    if not rows:
        raise FileRefused(["The file holds no price."])
    return rows


def _line(row: dict[str, str]) -> tuple[PriceLine | None, list[str]]:
    wrong = []
    kind = source = target = price = None
    try:
        kind = LineKind(row["charge"].lower())
    except ValueError:
        wrong.append(f"The charge is storage or transfer, not “{row['charge'][:40]}”.")
    for column in ("from", "to"):
        try:
            if column == "from" and not row["from"] and kind is not LineKind.TRANSFER:
                source = ANYWHERE
            elif column == "from":
                source = read_area(row["from"])
            else:
                target = read_area(row["to"])
        except ValueError as error:
            wrong.append(f"{column}: {error}")
    try:
        price = read_price(row["price"])
    except ValueError as error:
        wrong.append(str(error))
    if kind is None or source is None or target is None or price is None:
        return None, wrong
    return PriceLine(kind, source, target, price), wrong


def _head_mistakes(row: dict[str, str]) -> list[str]:
    wrong = []
    try:
        date.fromisoformat(row["valid_from"])
    except ValueError:
        wrong.append(f"valid_from is a day like 2026-12-01, not “{row['valid_from'][:40]}”.")
    if row["currency"] not in CURRENCIES:
        wrong.append(f"The currency is one of {', '.join(CURRENCIES)}, not “{row['currency'][:40]}”.")
    if row["unit"] not in set(SizeUnit):
        wrong.append(f"The unit is GB (10^9 bytes) or GiB (2^30 bytes), not “{row['unit'][:40]}”.")
    return wrong


def _sheet(lines: list[tuple[int, dict[str, str], PriceLine | None]]) -> ReadSheet:
    row = lines[0][1]
    draft = SheetDraft(
        provider=row["provider"],
        name=row["sheet"],
        valid_from=date.fromisoformat(row["valid_from"]),
        currency=row["currency"],
        source_note=row["source"],
        lines=tuple(line for _, _, line in lines if line is not None),
        unit=SizeUnit(row["unit"]),
    )
    return ReadSheet(draft, tuple(number for number, _, _ in lines))


def _shortened(mistakes: list[str]) -> list[str]:
    more = len(mistakes) - MOST_MISTAKES
    return mistakes if more <= 0 else [*mistakes[:MOST_MISTAKES], f"And {more:,} more."]


def _defused(cell: str) -> str:
    # An apostrophe of the text's own gets a second one, or reading would take it for ours.
    return f"'{cell}" if cell.startswith("'") else safe_cell(cell)


def _plain(cell: str) -> str:
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell[1:2] in {"=", "+", "-", "@", "\t", "\r", "'"} else cell
