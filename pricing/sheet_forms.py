"""What is asked for a price sheet: the sheet as a whole, its prices line by line, or a file of sheets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from django import forms

from pricing.calculator import ANYWHERE, LineKind, Scope
from pricing.csv_files import LARGEST_FILE_BYTES
from pricing.currencies import CURRENCIES, USD, SizeUnit
from pricing.drafts import (
    LONGEST_NAME,
    LONGEST_NOTE,
    MOST_LINES,
    PriceLine,
    SheetDraft,
    read_area,
    read_price,
    write_area,
)
from pricing.errors import PricesRefused
from pricing.regions import RegionChoice

EMPTY_LINES = 3


class SheetForm(forms.Form):
    """A sheet as a whole; `draft_with` makes it one with the lines of a `LineFormSet`."""

    name = forms.CharField(label="Name", max_length=LONGEST_NAME, help_text="For example “Contract from January 2027”.")
    valid_from = forms.DateField(
        label="Valid from",
        help_text="What was charged stays charged: a day that has begun can only get prices that were missing.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    currency = forms.ChoiceField(
        label="Currency",
        choices=[(code, f"{code}, {name}") for code, name in CURRENCIES.items()],
        initial=USD,
        help_text="Amounts in different currencies are never added up.",
    )
    unit = forms.ChoiceField(
        label="Prices are per",
        choices=[(unit.value, unit.meaning) for unit in SizeUnit],
        initial=SizeUnit.GB.value,
    )
    source_note = forms.CharField(
        label="Where the prices come from",
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def draft_with(self, provider: str, lines: PriceLines) -> SheetDraft:
        return SheetDraft(
            provider=provider,
            name=self.cleaned_data["name"],
            valid_from=self.cleaned_data["valid_from"],
            currency=self.cleaned_data["currency"],
            source_note=self.cleaned_data["source_note"],
            lines=tuple(line for line, _ in lines.prices()),
            unit=SizeUnit(self.cleaned_data["unit"]),
        )


class PriceLineForm(forms.Form):
    kind = forms.ChoiceField(
        label="Charge", choices=[("", "–"), (LineKind.STORAGE, "Storage"), (LineKind.TRANSFER, "Transfer")]
    )
    source = forms.ChoiceField(label="From", required=False)
    target = forms.ChoiceField(label="To")
    price = forms.CharField(label="Price", max_length=40, widget=forms.TextInput(attrs={"inputmode": "decimal"}))

    def __init__(self, *args: Any, places: list[tuple[str, Any]], number: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("source", "target"):
            cast(forms.ChoiceField, self.fields[name]).choices = places
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{field.label}, price {number + 1}"

    def clean_price(self) -> Decimal:
        try:
            return read_price(self.cleaned_data["price"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("kind") == LineKind.TRANSFER and not data.get("source") and "source" not in self.errors:
            self.add_error("source", "Say from where.")
        return data

    @property
    def line(self) -> PriceLine:
        data = self.cleaned_data
        source = read_area(data["source"]) if data["source"] else ANYWHERE
        return PriceLine(LineKind(data["kind"]), source, read_area(data["target"]), data["price"])


if TYPE_CHECKING:
    _LineForms = forms.BaseFormSet[PriceLineForm]
else:
    _LineForms = forms.BaseFormSet


class PriceLines(_LineForms):
    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "number": index or 0}

    def prices(self) -> list[tuple[PriceLine, PriceLineForm]]:
        """What was entered and not ticked for removal; lines left empty are none."""
        if not self.is_valid():
            return []
        kept = [form for form in self.forms if form.has_changed() and form not in self.deleted_forms]
        return [(form.line, form) for form in kept]

    def add_refusal(self, form: SheetForm, refusal: PricesRefused) -> None:
        """Put every mistake where it was made."""
        lines = self.prices()
        for _, mistake in refusal.found:
            if mistake.line is None:
                form.add_error(None, mistake.sentence)
            else:
                lines[mistake.line][1].add_error(None, mistake.sentence)


LineFormSet = cast(
    type[PriceLines],
    forms.formset_factory(
        PriceLineForm, formset=PriceLines, extra=0, can_delete=True, max_num=MOST_LINES, absolute_max=MOST_LINES
    ),
)


def line_values(lines: Iterable[PriceLine]) -> list[dict[str, str]]:
    """What the fields of `lines` hold before anybody changes them."""
    return [
        {
            "kind": line.kind,
            "source": "" if line.kind is LineKind.STORAGE else write_area(line.source),
            "target": write_area(line.target),
            "price": f"{line.price.normalize():f}",
        }
        for line in lines
    ]


def places_of(provider: str, regions: Sequence[RegionChoice]) -> list[tuple[str, Any]]:
    """What a price can be for: anywhere, a continent, or one region of `provider`."""
    known = [region for region in regions if region.provider == provider]
    continents = sorted({region.continent for region in known})
    return [
        ("", "–"),
        (Scope.ANY.value, "Anywhere"),
        ("Continents", [(f"{Scope.CONTINENT.value}:{name}", name) for name in continents]),
        ("Regions", [(region.code, f"{region.label} ({region.code})") for region in known]),
    ]


class ImportForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        help_text=f"At most {LARGEST_FILE_BYTES // 1000:,} kB. Nothing is stored if one line is wrong.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def clean_file(self) -> bytes:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE_BYTES:
            raise forms.ValidationError(f"The file is larger than {LARGEST_FILE_BYTES:,} bytes.")
        data: bytes = file.read()
        return data
