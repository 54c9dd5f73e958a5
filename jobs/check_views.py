"""Asking for a check or a repair of one copy."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.guard import find, needs
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from backups.models import Backup, Copy

from .check_services import request_repair, request_verification
from .errors import JobRefused


def _find_copy(request: HtmxHttpRequest, code: str, region: str) -> Copy:
    backup = find(Backup.objects.existing(), request, code=code)
    return get_object_or_404(backup.copies.select_related("backup__project", "region"), region=region)


@needs(Privilege.BACKUP_MANAGE)
@require_POST
def copy_check(request: HtmxHttpRequest, code: str, region: str) -> HttpResponse:
    copy = _find_copy(request, code, region)
    try:
        job = request_verification(
            user=request.user, copy=copy, depth="quick" if request.POST.get("depth") == "quick" else "full"
        )
    except JobRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(copy.backup)
    messages.success(request, f"The check of the copy in {copy.region} was queued.")
    return redirect(job)


@needs(Privilege.BACKUP_MANAGE)
@require_POST
def copy_repair(request: HtmxHttpRequest, code: str, region: str) -> HttpResponse:
    copy = _find_copy(request, code, region)
    try:
        job = request_repair(user=request.user, copy=copy)
    except JobRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(copy.backup)
    messages.success(request, f"The repair of the copy in {copy.region} was queued.")
    return redirect(job)
