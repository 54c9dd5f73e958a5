"""What the calculator and the form offer is what the rules of the clusters room allow."""

from __future__ import annotations

import pytest

from backupsite.wiring import price_regions
from clusters.errors import ClusterRefused
from clusters.models import Region
from clusters.rules import RegionFacts, check_copy_targets
from clusters.services import region_facts


def is_allowed(source: RegionFacts, target: RegionFacts) -> bool:
    try:
        check_copy_targets("dedicated", source, [target])
    except ClusterRefused:
        return False
    return True


@pytest.mark.django_db
def test_a_region_is_offered_as_a_target_exactly_where_a_copy_to_it_would_be_accepted():
    facts = {region.code: region_facts(region) for region in Region.objects.all()}
    for choice in price_regions():
        accepted = {code for code, target in facts.items() if is_allowed(facts[choice.code], target)}
        assert choice.targets == accepted, choice.code
        assert choice.can_copy == bool(accepted), choice.code
