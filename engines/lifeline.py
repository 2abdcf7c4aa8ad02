"""Child processes that cannot outlive us, even when we are killed without a chance to clean up. It starts nothing itself."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PATIENCE = 10.0


def tied_to_us(on_death: signal.Signals) -> Callable[[], None] | None:
    """A ``preexec_fn``: the kernel sends ``on_death`` to the child when the thread that started it ends.

    Start children from a thread that lasts. Only Linux offers this; elsewhere the children rely on being stopped.
    """
    if not sys.platform.startswith("linux"):
        return None
    # Everything that allocates or locks happens here: between fork and exec only plain calls are safe.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(on_death))
        if os.getppid() != parent:  # we died before the kernel knew
            os._exit(1)

    return tie


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Ask the process to end, and end it for good when it does not listen."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
