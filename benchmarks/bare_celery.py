"""Celery by itself, as its manual shows it: tasks that only say when they began. No row, no lease, no second try."""

from __future__ import annotations

import os
import time

from celery import Celery
from redis import Redis

BEGUN = "begun"

app = Celery("bare", broker=os.environ.get("BROKER_URL", ""))
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
_redis = Redis.from_url(os.environ.get("BROKER_URL", "redis://"))


@app.task(name="bare.begin")
def begin() -> None:
    _redis.rpush(BEGUN, repr(time.time()))
