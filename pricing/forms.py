"""What the calculator asks for. Everything travels in the URL, so an estimate can be kept and shared."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms

from pricing.calculator import DAYS_PER_MONTH
from pricing.currencies import SizeUnit
from pricing.regions import RegionChoice, targets_of

MAX_SIZE_GB = 1_000_000_000
MAX_DURATION = 1200

# The example on the page of the original service that describes what cross-region copies cost.
DOCUMENTATION_EXAMPLE = {
    "size_gb": "20",
    "source": "gcp-us-west1",
    "targets": ["gcp-us-east4", "gcp-europe-west3"],
    "duration": "1",
    "unit": "months",
}


class CalculatorForm(forms.Form):
    """Valid data is ready for `calculator.estimate`: `size_bytes`, `shown_source`, `target_regions`, `days`."""

    size_gb = forms.DecimalField(
        label="Backup size in GB",
        help_text="1 GB is 1,000,000,000 bytes.",
        max_value=MAX_SIZE_GB,
        decimal_places=9,
        min_value=Decimal("0.000000001"),
        initial=Decimal(20),
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        error_messages={
            "min_value": "Enter a size above 0 GB.",
            "max_value": f"Enter a size of at most {MAX_SIZE_GB:,} GB.",
        },
    )
    source = forms.ChoiceField(label="Region of the cluster", help_text="Where the original backup is stored.")
    targets = forms.MultipleChoiceField(
        label="Copy to other regions", required=False, widget=forms.CheckboxSelectMultiple
    )
    duration = forms.IntegerField(label="Kept for", min_value=1, max_value=MAX_DURATION, initial=1)
    unit = forms.ChoiceField(label="Unit", choices=[("months", "months of 30 days"), ("days", "days")])
    include_original = forms.BooleanField(
        label="Count the original too",
        help_text="Adds the storage of the backup in its own region.",
        required=False,
    )

    def __init__(self, *args: Any, regions: Sequence[RegionChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.regions = {region.code: region for region in regions}
        source, targets = (cast(forms.ChoiceField, self.fields[name]) for name in ("source", "targets"))
        source.choices = _by_provider(regions)
        targets.choices = [(region.code, region.label) for region in regions]
        if DOCUMENTATION_EXAMPLE["source"] in self.regions:
            # A newcomer starts where prices are known.
            source.initial = DOCUMENTATION_EXAMPLE["source"]

    @property
    def shown_source(self) -> RegionChoice | None:
        """The region the browser shows as the source: the chosen one, else the first; None if there are no regions."""
        chosen = self.regions.get(str(self["source"].value()))
        return chosen or next(iter(self.regions.values()), None)

    def clean_targets(self) -> list[str]:
        """The chosen codes, each one a region that may hold a copy of a backup in the source region."""
        targets: list[str] = self.cleaned_data["targets"]
        source = self.regions.get(self.cleaned_data.get("source", ""))
        if source is None:
            return targets
        allowed = {region.code for region in targets_of(source, list(self.regions.values()))}
        for code in targets:
            if code not in allowed:
                raise forms.ValidationError(_why_not(source, self.regions[code]))
        if len(set(targets)) != len(targets):
            raise forms.ValidationError("A region is chosen twice; a region takes one copy of a backup.")
        return targets

    @property
    def size_bytes(self) -> int:
        return int(self.cleaned_data["size_gb"] * SizeUnit.GB.size_bytes)

    @property
    def days(self) -> int:
        duration: int = self.cleaned_data["duration"]
        return duration * DAYS_PER_MONTH if self.cleaned_data["unit"] == "months" else duration

    @property
    def target_regions(self) -> list[RegionChoice]:
        return [self.regions[code] for code in self.cleaned_data["targets"]]


def _by_provider(regions: Sequence[RegionChoice]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Options of the source field under the name of their provider; the first region stays the first option."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for region in regions:
        groups.setdefault(region.provider_name, []).append((region.code, f"{region.label} ({region.code})"))
    return list(groups.items())


def _why_not(source: RegionChoice, target: RegionChoice) -> str:
    if source.provider != target.provider:
        return (
            f"{target.code} belongs to {target.provider_name}, but {source.code} belongs to {source.provider_name}. "
            "Copies stay with one provider: choose another region."
        )
    if source.code == target.code:
        return f"{target.code} holds the original; choose another region for the copy."
    return f"Backups on {source.provider_name} cannot be copied to other regions."
