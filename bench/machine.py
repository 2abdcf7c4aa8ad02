"""What the numbers were measured on. A number without its machine is no number."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from engines import postgres

_PACKAGES = ("flask", "granian", "psycopg", "redis", "requests", "rq", "sqlalchemy", "sqlmodel")


def describe(server: postgres.Postgres) -> dict[str, Any]:
    """Cores, memory, versions, the time and how busy the machine is with other things."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "node": _said(["node", "--version"]),
        "postgresql": _postgres(server),
        "packages": {name: version(name) for name in _PACKAGES},
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _said(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _postgres(server: postgres.Postgres) -> str:
    engine = create_engine(server.url("postgres"))
    with engine.connect() as connection:
        found = str(connection.exec_driver_sql("SHOW server_version").scalar_one())
    engine.dispose()
    return found
