"""Settings of every test run."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _compiled_sources() -> list[Path]:
    """The modules that compiled functions, and the constants in them, come from."""
    folders = ("memory_envs", "agents/cells", "agents/algorithms/rl_ntm")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


# Numba's cache looks at the file of the function that is called, but not at those of the functions
# and constants that are compiled into it: what was changed there would not be tested. So each state
# of these files has a cache of its own.
_state = hashlib.sha256(b"".join(path.read_bytes() for path in _compiled_sources())).hexdigest()
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".numba_cache" / _state[:16]))

# Before torch is imported: the workers of pytest-xdist share the cores, where more threads are many
# times slower, and with one thread each the order of a sum does not change from run to run.
os.environ.setdefault("OMP_NUM_THREADS", "1")
