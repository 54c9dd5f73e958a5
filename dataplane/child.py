"""Child processes that do not outlive us."""

import os
import sys
from collections.abc import Sequence

# Asks the kernel (prctl 1 is PR_SET_PDEATHSIG) for a SIGKILL once the parent is gone, makes sure that it is not gone
# already, and becomes the program. The request survives exec.
_ASK_THEN_EXEC = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def dying_with_us(command: Sequence[str]) -> list[str]:
    """`command`, on Linux so that a killed parent leaves none behind; elsewhere as it is.

    The child asks for itself, after exec. A `preexec_fn` would make Python fork instead of vfork, and then gRPC's fork
    handlers run in the child: while a Milvus client is open in the parent, some children died of a closed descriptor.
    The kernel takes the thread that starts a child for its parent, so start it from one that lives as long as needed.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _ASK_THEN_EXEC, str(os.getpid()), *command]
