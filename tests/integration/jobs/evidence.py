"""What a test looks at once the workers have done their work."""

from __future__ import annotations

from backups.models import Backup
from clusters.models import Cluster
from dataplane.progress import Progress
from dataplane.stores.local import LocalStore
from dataplane.verify import verify_backup


def copies_by_region(backup: Backup) -> dict[str, str]:
    return dict(backup.copies.values_list("region", "state"))


def is_sound(store: LocalStore, cluster: Cluster, backup: Backup) -> bool:
    def ignore(progress: Progress) -> None:
        """Nobody watches."""

    report = verify_backup(
        cluster_id=cluster.code,
        backup_id=backup.code,
        store=store,
        on_progress=ignore,
        should_stop=lambda: False,
    )
    return report.is_sound
