"""What the audit log can say that somebody did: a closed list, one line for each kind of change. Pure."""

from django.db.models import TextChoices


class Action(TextChoices):
    """The label goes on after the name of whoever did it; the value is what the CSV and filters carry."""

    BACKUP_REQUESTED = "backup.requested", "asked for a backup"
    BACKUP_RENAMED = "backup.renamed", "renamed a backup"
    BACKUP_DELETED = "backup.deleted", "had a backup deleted"
    COPY_REQUESTED = "copy.requested", "asked for a copy to another region"
    COPY_CHECKED = "copy.checked", "had a copy checked"
    COPY_REPAIRED = "copy.repaired", "had a copy repaired"
    COPY_RETRIED = "copy.retried", "had a copy made again"
    COPY_EXPIRED = "copy.expired", "ended a copy whose time was over"
    RESTORE_REQUESTED = "restore.requested", "asked for a restore"
    JOB_CANCELED = "job.canceled", "canceled a job"
    SCHEDULE_CREATED = "schedule.created", "made a schedule"
    SCHEDULE_CHANGED = "schedule.changed", "changed a schedule"
    SCHEDULE_ENABLED = "schedule.enabled", "switched a schedule on"
    SCHEDULE_DISABLED = "schedule.disabled", "switched a schedule off"
    SCHEDULE_DELETED = "schedule.deleted", "deleted a schedule"
    CLUSTER_ADDED = "cluster.added", "added a cluster"
    CLUSTER_CHANGED = "cluster.changed", "changed a cluster"
    CLUSTER_REMOVED = "cluster.removed", "removed a cluster"
    COLLECTION_LOADED = "collection.loaded", "had a collection loaded"
    COLLECTION_DELETED = "collection.deleted", "deleted a collection"
    STORE_SAVED = "store.saved", "set the store of a region"
    PRICES_ADDED = "prices.added", "added a price sheet"
    PRICES_WITHDRAWN = "prices.withdrawn", "withdrew a price sheet"
    ALLOWANCE_SET = "allowance.set", "set how much transfer is free each month"
    STORE_TESTED = "store.tested", "tested the store of a region"
    ORGANIZATION_FOUNDED = "organization.founded", "founded the organization"
    ORGANIZATION_CHANGED = "organization.changed", "changed the organization"
    PERSON_ADDED = "person.added", "added a person"
    ROLE_GIVEN = "role.given", "gave a role"
    MEMBER_REMOVED = "member.removed", "removed a member"
    PERSON_INVITED = "person.invited", "invited a person"
    INVITATION_REVOKED = "invitation.revoked", "withdrew an invitation"
    INVITATION_ACCEPTED = "invitation.accepted", "accepted an invitation"
    CUSTOM_ROLE_CREATED = "custom_role.created", "made a custom role"
    CUSTOM_ROLE_CHANGED = "custom_role.changed", "changed a custom role"
    CUSTOM_ROLE_DELETED = "custom_role.deleted", "deleted a custom role"
    PROJECT_CREATED = "project.created", "made a project"
    PROJECT_RENAMED = "project.renamed", "renamed a project"
    SIGNED_IN = "person.signed_in", "signed in"
    SIGNED_OUT = "person.signed_out", "signed out"
    PASSWORD_CHANGED = "person.password_changed", "changed a password"
    FACTOR_ADDED = "person.factor_added", "set up a second factor"
    FACTOR_REMOVED = "person.factor_removed", "removed a second factor"
    IDENTITY_CONNECTED = "person.identity_connected", "signed in by a provider for the first time"
    SESSION_ENDED = "person.session_ended", "ended a session"
    SECRETS_ROTATED = "secrets.rotated", "encrypted every secret anew"
    KEY_MADE = "key.made", "made an API key"
    KEY_REVOKED = "key.revoked", "revoked an API key"
    KEY_REFUSED = "key.refused", "used an API key that does not live"
    ACCESS_REFUSED = "access.refused", "opened what is not theirs to open"


def action_choices() -> list[tuple[str, str]]:
    """A function, so that a new action needs no migration."""
    return Action.choices


class Outcome(TextChoices):
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
