"""One round: people ask, things fail, everything recovers, and the evidence is looked at."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from django.db import DatabaseError, connection
from django.utils import timezone

from backups.models import Copy
from jobs.check_services import request_verification
from jobs.models import Job
from jobs.worker import sweep
from tests.torture.asking import Asking
from tests.torture.evidence import Findings, Watcher, active_jobs, examine, harm_of, told_by_logs, with_traceback
from tests.torture.faults import Deed, choose_faults
from tests.torture.site import Site
from tests.torture.world import World

QUIET_SECONDS = 120.0
"""So long after the last fault everything has to have ended, however busy the machine is."""
_LOOK_SECONDS = 0.02
_BETWEEN_ROUNDS_SECONDS = 0.4


@dataclass
class Tally:
    """What all rounds together showed."""

    rounds: int = 0
    findings: Findings = field(default_factory=Findings)
    bad_seeds: list[int] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)

    def count_endings(self) -> None:
        self.endings.update(f"{kind} {state}" for kind, state in Job.objects.values_list("type", "state"))


class Rounds:
    def __init__(self, site: Site, world: World, say: Callable[[str], None]) -> None:
        self._site, self._world, self._say = site, world, say
        self._watcher = Watcher(world)
        self._asking = Asking(site, world)
        self._known: set[int] = set()
        self._findings = self._asking.findings
        self.tally = Tally()

    def play(self, seed: int, *, together: int) -> Findings:
        """`together` rounds that run into each other, then quiet, then the evidence."""
        random = Random(seed)
        self._findings = self._asking.findings = Findings()
        for _ in range(together):
            self._prepare(random)
        deeds: list[Deed] = []
        for number in range(together):
            begin = number * _BETWEEN_ROUNDS_SECONDS
            deeds += [(begin + at, what, deed) for at, what, deed in self._plan(random)]
        self._carry_out(sorted(deeds, key=lambda deed: deed[0]), sweeps=random.random() < 0.7)
        self._wait_until_quiet(sweeps=random.random() < 0.7)
        self._let_rot_be_found()
        self._findings += examine(self._world, accepted=self._asking.accepted, stuck=self._known, watcher=self._watcher)
        self._findings.doubled += told_by_logs(self._site.pid_of_log)
        self._findings.crashed += self._site.complaints()
        self._findings.crashed = [with_traceback(text, self._site.pid_of_log) for text in self._findings.crashed]
        # Those that have ended have said all they had to say.
        self._site.forget_ended_logs()
        self._findings = self._findings.without(self.tally.findings)
        self.tally.rounds += together
        self.tally.findings += self._findings
        self.tally.pages = self._asking.answers + Counter(seen=self._site.looks)
        if self._findings:
            self.tally.bad_seeds.append(seed)
        return self._findings

    def _prepare(self, random: Random) -> None:
        """While nothing runs: what a round needs to have something to lose."""
        self._world.add_backup(random)
        if random.random() < 0.2:
            self._world.leave_torn_chunk(random)
        if random.random() < 0.2 and (copy := self._world.rot(random)):
            self._asking.request("check", partial(self._check, copy))

    def _plan(self, random: Random) -> list[Deed]:
        plan: list[Deed] = []
        names = ["copy", "copy", "delete", *random.choices(sorted(self._world.asks), k=random.randint(2, 5))]
        for name in names:
            at = random.uniform(0, 0.6) + (0.5 if name == "cancel" else 0)
            plan.append((at, *self._asking.choose(name, random)))
        return plan + choose_faults(self._site, self._world, random)

    def _carry_out(self, deeds: list[Deed], *, sweeps: bool) -> None:
        began = time.monotonic()
        for at, what, deed in deeds:
            self._pass_time(began + at, sweeps=sweeps)
            self._say(f"  {time.monotonic() - began:5.2f} s {what}")
            self.tally.deeds[what.partition(" worker-")[0]] += 1
            deed()

    def _wait_until_quiet(self, *, sweeps: bool) -> None:
        deadline = time.monotonic() + QUIET_SECONDS
        while active := active_jobs(self._known):
            if time.monotonic() > deadline:
                self._give_up(active)
                break
            # Nobody waits for minutes here for what comes after a failure.
            Job.objects.filter(not_before__gt=timezone.now()).update(not_before=timezone.now())
            self._pass_time(time.monotonic() + 0.2, sweeps=sweeps)
        for name in self._site.revive():
            self._findings.crashed.append(f"{name} ended by itself")

    def _give_up(self, stuck: list[Job]) -> None:
        """Count jobs as stuck, and put them and all that hangs on them out of the way of the rounds to come."""
        self._findings.stuck += [
            f"{job.type} {job.code} is {job.state} until {job.lease_until} by {job.worker}" for job in stuck
        ]
        self._known |= {job.pk for job in stuck}
        for job in stuck:
            Job.objects.filter(pk=job.pk, lease_until__isnull=False).update(lease_until=timezone.now())

    def _pass_time(self, until: float, *, sweeps: bool) -> None:
        """Look at the manifests, and often be one more that sweeps; the scheduler does so every two seconds."""
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
            self._watcher.look()
        if sweeps:
            try:
                sweep()
            except DatabaseError:
                connection.close()

    def _let_rot_be_found(self) -> None:
        """Damage of our own that no check has met yet is not the site's fault: every copy that has some is checked."""
        for _ in range(2):
            for copy in Copy.objects.available().select_related("backup__cluster", "region"):
                harm = harm_of(self._world, copy)
                if harm and all(self._world.is_rotten(path) for path in harm):
                    self._asking.request("check", partial(self._check, copy))
            self._wait_until_quiet(sweeps=True)

    def _check(self, copy: Copy) -> list[Job]:
        return [request_verification(user=self._world.admin, copy=copy)]
