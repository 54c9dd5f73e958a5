"""The policy of a cluster: set as a whole, given back word for word."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from backups.models import Backup
from backups.states import Origin
from jobs.models import Job, Schedule
from jobs.schedule_states import ScheduleKind
from tests.builders import FRANKFURT, VIRGINIA, make_schedule

pytestmark = pytest.mark.django_db

POLICY = {
    "enabled": True,
    "frequency": "5,1,3",
    "startTime": "3:00-05:00",
    "retentionDays": 7,
    "crossRegionCopies": [
        {"regionId": VIRGINIA, "retentionDays": 14},
        {"regionId": FRANKFURT, "retentionDays": 30},
    ],
}
NOTHING: dict[str, Any] = {"startTime": None, "frequency": None, "retentionDays": 0, "crossRegionCopies": []}
DISABLED = NOTHING | {"status": "DISABLED"}


@pytest.fixture
def policy(owner, cluster):
    url = f"/clusters/{cluster.code}/backups/policy"

    class Policy:
        def set(self, **changes):
            return owner.ask("POST", url, POLICY | changes)

        def read(self):
            return owner.ask("GET", url)

        def refusal(self, **changes):
            return owner.refusal("POST", url, POLICY | changes)

    return Policy()


def test_a_cluster_without_a_policy_has_a_disabled_one(policy, cluster):
    assert policy.read() == DISABLED | {"clusterId": cluster.code}


def test_it_is_given_back_as_it_was_set_and_makes_a_backup_at_once(policy, cluster):
    assert policy.set() == {"clusterId": cluster.code, "status": "ENABLED"}
    told = {name: value for name, value in POLICY.items() if name != "enabled"}
    assert policy.read() == {"clusterId": cluster.code, "status": "ENABLED"} | told
    schedule = Schedule.objects.get()
    assert (schedule.day_numbers, schedule.window_start, schedule.time_zone) == ({1, 3, 5}, time(3), "UTC")
    assert Job.objects.filter(origin=Origin.AUTO).count() == 1
    assert Backup.objects.get().copies.count() == 3


def test_setting_it_again_replaces_it_as_a_whole(policy):
    policy.set()
    policy.set(frequency="7", crossRegionCopies=[], retentionDays=3)
    read = policy.read()
    assert (read["frequency"], read["crossRegionCopies"], read["retentionDays"]) == ("7", [], 3)
    assert Schedule.objects.count() == 1
    assert Job.objects.count() == 1


def test_what_was_changed_on_a_page_since_is_told_as_it_is(policy):
    policy.set()
    Schedule.objects.update(days="67", kept_days=9)
    read = policy.read()
    assert (read["frequency"], read["startTime"], read["retentionDays"]) == ("6,7", "03:00-05:00", 9)


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"crossRegionCopies": []},
        {"frequency": "", "startTime": "", "retentionDays": 0, "crossRegionCopies": None},
        {"frequency": "nonsense", "retentionDays": -5},
    ],
)
def test_turned_off_the_rest_is_ignored(owner, policy, cluster, rest):
    policy.set()
    url = f"/clusters/{cluster.code}/backups/policy"
    assert owner.ask("POST", url, {"enabled": False} | rest)["status"] == "DISABLED"
    assert policy.read() == DISABLED | {"clusterId": cluster.code}
    assert not Schedule.objects.get().is_enabled


def test_turning_off_what_there_is_not_is_no_mistake(owner, cluster):
    url = f"/clusters/{cluster.code}/backups/policy"
    assert owner.ask("POST", url, {"enabled": False})["status"] == "DISABLED"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"frequency": "8"}, 96032),
        ({"frequency": None}, 96032),
        ({"frequency": 5}, 96032),
        ({"startTime": "02:00-05:00"}, 96033),
        ({"startTime": None}, 96033),
        ({"retentionDays": 0}, 96034),
        ({"retentionDays": 31}, 96034),
        ({"retentionDays": None}, 96034),
        ({"retentionDays": "many"}, 96034),
        ({"crossRegionCopies": [{"regionId": VIRGINIA, "retentionDays": 31}]}, 96034),
        ({"crossRegionCopies": [{"regionId": VIRGINIA}]}, 96034),
        ({"crossRegionCopies": [{"regionId": "moon-1", "retentionDays": 3}]}, 96001),
        ({"crossRegionCopies": [{"regionId": "aws-us-east-1", "retentionDays": 3}]}, 96001),
        ({"crossRegionCopies": [{"regionId": VIRGINIA, "retentionDays": 3}] * 2}, 96001),
    ],
)
def test_what_cannot_be_is_refused_with_its_code_before_anything_changes(policy, changes, code):
    policy.set(frequency="2")
    before = policy.read()
    assert policy.refusal(**changes)[:2] == (400, code)
    assert policy.read() == before


def test_a_schedule_that_is_no_policy_is_left_alone(policy, cluster):
    cron = make_schedule(cluster, name="hourly", kind=ScheduleKind.CRON, cron="0 * * * *", days="", window_start=None)
    assert policy.read()["status"] == "DISABLED"
    policy.set()
    assert Schedule.objects.get(pk=cron.pk).cron == "0 * * * *"
    assert Schedule.objects.count() == 2
