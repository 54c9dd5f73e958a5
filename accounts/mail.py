"""Mail goes out beside the request that asked for it.

A mail server may take seconds. Whoever waits for it would see, by the time alone, for which addresses there is a mail.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from smtplib import SMTPException

from django.core.mail import EmailMessage

logger = logging.getLogger(__name__)

# One at a time; Python waits for what is still in it before it ends.
_sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")


def send_in_background(message: EmailMessage) -> Future[None]:
    """Send `message` soon. That a mail server is away is the operator's trouble: it is logged, and nobody is told."""
    return _sender.submit(_send, message)


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except (OSError, SMTPException) as trouble:
        logger.error("The mail “%s” was not sent: %s", message.subject, trouble)
