"""The backup policy of a cluster: one schedule of ours, in the words of the API."""

from __future__ import annotations

from typing import Any

from accounts.guard import ONE_THING
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from backups.states import Scope
from clusters.models import Cluster
from jobs.models import Schedule
from jobs.schedule_services import ScheduleRequest, create_schedule, set_enabled, update_schedule
from jobs.schedule_states import ScheduleKind

from . import schemas
from .calls_backups import require_dedicated
from .errors import ApiRefused, Code, refusing_with
from .finding import find_cluster, find_region
from .operation import Example, Operations
from .policy import read_days, read_window, write_days, write_window
from .repeats import one_at_a_time

NAME = "Backup policy"
FIELDS = {
    "kept_days": Code.BAD_RETENTION,
    "kept": Code.BAD_RETENTION,
    "regions": Code.BAD_REGION,
    "days": Code.BAD_FREQUENCY,
    "window_start": Code.BAD_START_TIME,
}
ROUTE = "/clusters/{cluster_id}/backups/policy"


def add_calls(calls: Operations) -> None:
    calls.add(
        "GET",
        ROUTE,
        answers=schemas.PolicyOut,
        tag="Policy",
        needs=Privilege.BACKUP_VIEW,
        of=ONE_THING,
        example=Example({"cluster_id": "$cluster"}),
    )(describe_policy)
    calls.add(
        "POST",
        ROUTE,
        answers=schemas.PolicySet,
        tag="Policy",
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example(
            {"cluster_id": "$cluster"},
            body={
                "enabled": True,
                "frequency": "1,3,5",
                "startTime": "02:00-04:00",
                "retentionDays": 7,
                "crossRegionCopies": [{"regionId": "gcp-us-east4", "retentionDays": 14}],
            },
        ),
    )(set_policy)


def find_policy(cluster: Cluster) -> Schedule | None:
    """The schedule that the API calls the cluster's policy: the one it made, else the first that it could have made."""
    schedules = Schedule.objects.filter(cluster=cluster).prefetch_related("targets").order_by("pk")
    like_a_policy = schedules.filter(kind=ScheduleKind.BASIC, time_zone="UTC", scope=Scope.CLUSTER)
    return like_a_policy.filter(name=NAME).first() or like_a_policy.order_by("-is_enabled", "pk").first()


def describe_policy(request: HtmxHttpRequest, cluster_id: str) -> dict[str, Any]:
    """The policy as it was set, word for word; when it is disabled there is nothing to tell."""
    cluster = find_cluster(request, cluster_id)
    schedule = find_policy(cluster)
    if schedule is None or not schedule.is_enabled or schedule.window_start is None:
        nothing: dict[str, Any] = {
            "start_time": None,
            "frequency": None,
            "retention_days": 0,
            "cross_region_copies": [],
        }
        return {"cluster_id": cluster.code, "status": "DISABLED"} | nothing
    return {
        "cluster_id": cluster.code,
        "status": "ENABLED",
        "start_time": write_window(schedule.window_start),
        "frequency": write_days(schedule.day_numbers),
        "retention_days": schedule.kept_days,
        "cross_region_copies": [
            {"region_id": target.region_id, "retention_days": target.kept_days} for target in schedule.targets.all()
        ],
    } | _as_told(schedule)


def _as_told(schedule: Schedule) -> dict[str, Any]:
    """What a client said, in its own spelling and order, as long as it still says what the schedule does."""
    told = schemas.SetPolicy(**schedule.told) if schedule.told else None
    if told is None or schedule.window_start is None or told.frequency is None or told.start_time is None:
        return {}
    copies = told.cross_region_copies or []
    meant = (read_days(told.frequency), read_window(told.start_time), told.retention_days)
    kept = {target.region_id: target.kept_days for target in schedule.targets.all()}
    if meant != (schedule.day_numbers, schedule.window_start, schedule.kept_days):
        return {}
    if {copy.region_id: copy.retention_days for copy in copies} != kept:
        return {}
    return {"frequency": told.frequency, "start_time": told.start_time, "cross_region_copies": copies}


def set_policy(request: HtmxHttpRequest, cluster_id: str, body: schemas.SetPolicy) -> dict[str, Any]:
    """Replace the policy as a whole. Turning it on makes a backup at once, then the schedule takes over (R11)."""
    cluster = find_cluster(request, cluster_id)
    with refusing_with(Code.BACKUP_REFUSED, FIELDS), one_at_a_time(cluster):
        schedule = find_policy(cluster)
        if not body.enabled:
            if schedule is not None:
                set_enabled(user=request.user, schedule=schedule, is_enabled=False)
            return {"cluster_id": cluster.code, "status": "DISABLED"}
        require_dedicated(cluster)
        asked = _asked(body, schedule)
        told = body.model_dump(mode="json")
        if schedule is None:
            create_schedule(user=request.user, cluster=cluster, request=asked, told=told)
        else:
            # A client of this API cannot be shown which copies end earlier; it said what it wants.
            update_schedule(user=request.user, schedule=schedule, request=asked, accepts_earlier_ends=True, told=told)
            set_enabled(user=request.user, schedule=schedule, is_enabled=True)
    return {"cluster_id": cluster.code, "status": "ENABLED"}


def _asked(body: schemas.SetPolicy, schedule: Schedule | None) -> ScheduleRequest:
    if body.frequency is None:
        raise ApiRefused(Code.BAD_FREQUENCY, "A policy that is enabled needs a frequency, such as 1,2,5.")
    if body.start_time is None:
        raise ApiRefused(Code.BAD_START_TIME, "A policy that is enabled needs a startTime, such as 02:00-04:00.")
    if body.retention_days is None:
        raise ApiRefused(Code.BAD_RETENTION, "A policy that is enabled needs retentionDays.")
    try:
        days = read_days(body.frequency)
    except ValueError as error:
        raise ApiRefused(Code.BAD_FREQUENCY, str(error)) from error
    try:
        window_start = read_window(body.start_time)
    except ValueError as error:
        raise ApiRefused(Code.BAD_START_TIME, str(error)) from error
    copies = body.cross_region_copies or []
    for copy in copies:
        find_region(copy.region_id)
    if len({copy.region_id for copy in copies}) != len(copies):
        raise ApiRefused(Code.BAD_REGION, "crossRegionCopies names a region twice.")
    return ScheduleRequest(
        name=schedule.name if schedule else NAME,
        kind=ScheduleKind.BASIC,
        time_zone="UTC",
        kept_days=body.retention_days,
        days=days,
        window_start=window_start,
        kept_days_by_region={copy.region_id: copy.retention_days for copy in copies},
    )
