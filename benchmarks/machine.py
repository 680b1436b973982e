"""The machine that a measurement was made on, so that another can be compared with it."""

import os
import platform

from agents.training.provenance import processor


def describe_machine() -> dict[str, object]:
    """Returns processor, cores that this process may use, system and present load."""
    return {
        "cpu": processor(),
        "cores": _cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
