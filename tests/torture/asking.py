"""How people ask: once, twice at once, over the pages or not, and of processes that are killed before they answer."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from random import Random

from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.errors import Refused
from jobs.models import Job
from jobs.states import JobType
from tests.torture.evidence import Findings
from tests.torture.posts import Post, Posts
from tests.torture.process import request_and_die
from tests.torture.site import Site
from tests.torture.web import Answer
from tests.torture.world import Request, World

# Beside a promise: refused, or gone in the meantime; None is a connection that broke.
_HONEST = {422, 404, None}
_JOB = re.compile(r"/jobs/(job-\w+)/")


class Asking:
    """Asks, and keeps what was promised; what should not have been said is in `findings`."""

    def __init__(self, site: Site, world: World) -> None:
        self._site, self._world, self._posts = site, world, Posts(world)
        self.accepted: set[str] = set()
        """Codes of the jobs that somebody was promised."""
        self.findings = Findings()
        self.answers = Counter[str]()
        """Of forms that were sent, how often what came back."""

    def choose(self, name: str, random: Random) -> tuple[str, Callable[[], object]]:
        """One way of asking for `name`, and how to call it."""
        own, manner, patience = Random(random.random()), random.random(), random.uniform(0, 0.03)
        if name in self._posts.asks and random.random() < 0.5:
            post = partial(self._post, name, own)
            if manner < 0.3:
                return f"a page for: {name}, killed", partial(post, patience=2 * patience)
            return f"a page for: {name}", partial(post, count=2 if manner < 0.5 else 1)
        if manner < 0.1:
            return f"ask: {name}", partial(self._ask_and_die, name, own, patience)
        return f"ask: {name}", partial(self._ask_twice if manner < 0.3 else self._ask, name, own)

    def request(self, name: str, request: Request) -> int:
        """How many jobs were promised."""
        try:
            jobs = request()
        except Refused:
            return 0
        except DatabaseError as trouble:
            self.findings.crashed.append(f"asking for a {name}: {trouble!r}")
            connection.close()
            return 0
        self.accepted |= {job.code for job in jobs}
        return len(jobs)

    def _ask(self, name: str, random: Random) -> None:
        if request := self._world.asks[name](random):
            self.request(name, request)

    def _ask_twice(self, name: str, random: Random) -> None:
        """Two people, or one whose mouse clicks twice."""
        request = self._world.asks[name](random)
        if request is None:
            return
        promised: list[int] = []

        def ask() -> None:
            promised.append(self.request(name, request))
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if all(promised) and name != "expire":
            self.findings.doubled.append(f"a {name} was promised twice at once")

    def _ask_and_die(self, name: str, random: Random, patience: float) -> None:
        if request := self._world.asks[name](random):
            request_and_die(request, patience)

    def _post(self, name: str, random: Random, *, count: int = 1, patience: float | None = None) -> None:
        """Send a form `count` times at once, and kill the whole web server after `patience` seconds, if any."""
        post = self._posts.asks[name](random)
        if post is None:
            return
        began = time.monotonic()
        questions = [self._site.browser.post(post.path, post.data) for _ in range(count)]
        if patience is not None:
            time.sleep(patience)
            self._site.kill_web()
        answers = [question.answer() for question in questions]
        connection.close()  # what we read next is what is there now
        self._weigh(name, post, answers, was_away=self._site.was_database_away(began, time.monotonic()))

    def _weigh(self, name: str, post: Post, answers: Sequence[Answer], *, was_away: bool) -> None:
        """What was promised has to be there from this moment on."""
        promises = [answer for answer in answers if answer.status == 302 and answer.location.startswith("/jobs/")]
        jobs = post.find_jobs()
        for answer in promises:
            named = set(_JOB.findall(answer.location))
            self.accepted |= named | {job.code for job in jobs}
            if not jobs or not named <= {job.code for job in jobs}:
                self.findings.lost.append(f"{answer.location} was promised for a {name}, and there is no such job")
        for answer in answers:
            self.answers["promised" if answer in promises else str(answer.status or "broken")] += 1
            if answer.location.startswith("/sign-in/"):
                self.findings.crashed.append(f"asking for a {name} by a page: sent to the sign-in page")
            elif answer.status not in _HONEST | {302} and not was_away:
                self.findings.crashed.append(f"asking for a {name} by a page: {answer.status}")
        if len(promises) > 1 and name == "delete":
            self.findings.doubled.append(f"a {name} was promised twice by a page")
        self.findings.doubled += [
            f"{first} and {second} were promised at once"
            for first, second in combinations(jobs, 2)
            if _clash(first, second)
        ]


def _clash(first: Job, second: Job) -> bool:
    """Whether two jobs, the older one first, were there at once that exclude each other."""
    is_same = first.copy_id == second.copy_id or first.type == second.type == JobType.BACKUP
    return is_same and second.created_at < (first.finished_at or timezone.now())
