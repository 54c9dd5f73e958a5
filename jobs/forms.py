"""The shape and wording of input about jobs; the rules behind it live in the services."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from accounts.access import projects_with
from accounts.models import User
from accounts.privileges import Privilege
from backups.models import Backup, BackupCollection, Copy
from backups.states import Scope
from clusters.models import Cluster, Plan, Region

from .restores import MAX_COLLECTION_NAME, CollectionToRestore, RestoreRequest

SEPARATOR = "/"


class RegionListField(forms.Field):
    """Regions by their codes, in the order and as often as they were sent: a rule below says no to doubles."""

    widget = forms.CheckboxSelectMultiple

    def clean(self, value: Any) -> list[Region]:
        codes = list(value or [])
        # PostgreSQL does not take a null character, not even in a question.
        regions = Region.objects.in_bulk([code for code in codes if "\0" not in code])
        for code in codes:
            if code not in regions:
                raise forms.ValidationError(f"There is no region called {str(code)[:60]}.")
        return [regions[code] for code in codes]


class BackupForm(forms.Form):
    scope = forms.ChoiceField(choices=Scope.choices, initial=Scope.CLUSTER, widget=forms.RadioSelect, label="What")
    collections = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    copy = forms.BooleanField(required=False, label="Copy to other regions")
    regions = RegionListField(required=False, label="Regions")

    def __init__(self, *args: Any, collections: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        """`collections` are the (database, name) pairs the cluster has now."""
        super().__init__(*args, **kwargs)
        self.fields["collections"].choices = [  # type: ignore[attr-defined]
            (SEPARATOR.join(pair), SEPARATOR.join(pair)) for pair in collections
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("copy") and not data.get("regions") and "regions" not in self.errors:
            self.add_error("regions", "Tick at least one region, or switch copying off.")
        # Scripts send no part that is hidden. Without them everything is sent, and what was ticked is not dropped.
        if data.get("regions") and not data.get("copy"):
            self.add_error(
                "regions", "You ticked regions, but copying is switched off. Switch it on, or untick the regions."
            )
        if data.get("collections") and data.get("scope") == Scope.CLUSTER:
            self.add_error(
                "collections",
                "You ticked collections, but asked for the whole cluster. Ask for chosen collections, or untick them.",
            )
        return data

    def clean_collections(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["collections"]
        if self.cleaned_data.get("scope") == Scope.COLLECTION and not chosen:
            raise forms.ValidationError("Choose at least one collection, or back up the whole cluster.")
        return chosen

    @property
    def chosen_collections(self) -> list[tuple[str, str]] | None:
        """(database, name) pairs, None for the whole cluster; call it on valid data."""
        if self.cleaned_data["scope"] == Scope.CLUSTER:
            return None
        pairs = (value.partition(SEPARATOR) for value in self.cleaned_data["collections"])
        return [(database, name) for database, _, name in pairs]

    @property
    def chosen_regions(self) -> list[Region]:
        """Where copies go; call it on valid data."""
        regions: list[Region] = self.cleaned_data["regions"]
        return regions


class RestoreForm(forms.Form):
    """Which copy, into which cluster, which collections under which names."""

    TO_CLUSTER, TO_NEW = "existing", "new"
    # What one choice asks for is not asked for by the other, so the browser cannot know what is required.
    use_required_attribute = False

    copy = forms.ModelChoiceField(Copy.objects.none(), widget=forms.RadioSelect, empty_label=None, label="Copy")
    into = forms.ChoiceField(
        choices=[(TO_CLUSTER, "An existing cluster"), (TO_NEW, "A new cluster in the copy's region")],
        initial=TO_CLUSTER,
        widget=forms.RadioSelect,
        label="Restore into",
    )
    target = forms.ModelChoiceField(Cluster.objects.none(), empty_label=None, label="Cluster")
    new_name = forms.CharField(
        max_length=64,
        label="Name of the new cluster",
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9-]*$", "Use letters, digits and hyphens.")],
    )
    cu_size = forms.IntegerField(min_value=1, max_value=1024, initial=1, label="CU size")
    load = forms.BooleanField(
        required=False, initial=True, label="Load the collections that were loaded when the backup was taken"
    )

    def __init__(
        self,
        *args: Any,
        user: User,
        backup: Backup,
        can_make_clusters: bool,
        present: Collection[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        """`present` are the (database, name) pairs in the cluster that is proposed; they are not ticked."""
        super().__init__(*args, **kwargs)
        self.present = present
        self.collections: list[BackupCollection] = list(backup.collections.all())
        copies = backup.copies.available().select_related("region")
        self.fields["copy"] = forms.ModelChoiceField(
            copies, to_field_name="region_id", widget=forms.RadioSelect, empty_label=None, label="Copy"
        )
        projects = projects_with(user, Privilege.BACKUP_MANAGE)
        targets = Cluster.objects.existing().filter(project__in=projects, plan=Plan.DEDICATED).for_list()
        self.fields["target"] = forms.ModelChoiceField(targets, to_field_name="code", empty_label=None, label="Cluster")
        if not can_make_clusters:
            del self.fields["into"], self.fields["new_name"], self.fields["cu_size"]
        elif self.is_bound:
            is_new = self.data.get("into") == self.TO_NEW
            self.fields["new_name"].required = self.fields["cu_size"].required = is_new
            self.fields["target"].required = not is_new
        for number, row in enumerate(self.collections):
            is_free = (row.database, row.name) not in present
            self.fields[f"take-{number}"] = forms.BooleanField(required=False, initial=is_free, label=str(row))
            self.fields[f"name-{number}"] = forms.CharField(
                required=False,
                # The rule itself lives in RestoreRequest; this only bounds what is read.
                max_length=MAX_COLLECTION_NAME,
                initial=row.name,
                label=f"New name of {row}",
            )

    @property
    def rows(self) -> list[tuple[BackupCollection, forms.BoundField, forms.BoundField, bool]]:
        """Each collection of the backup with its two fields, and whether the proposed cluster has it already."""
        return [
            (row, self[f"take-{number}"], self[f"name-{number}"], (row.database, row.name) in self.present)
            for number, row in enumerate(self.collections)
        ]

    @property
    def is_into_new_cluster(self) -> bool:
        return self.cleaned_data.get("into") == self.TO_NEW

    def request(self) -> RestoreRequest:
        """What was asked for; call it on valid data. Its rules are checked by the service."""
        data = self.cleaned_data
        chosen = tuple(
            CollectionToRestore(row.database, row.name, data[f"name-{number}"] or row.name)
            for number, row in enumerate(self.collections)
            if data[f"take-{number}"]
        )
        target: Cluster = data["target"]
        return RestoreRequest(collections=chosen, cu_size=target.cu_size, load=data["load"])
