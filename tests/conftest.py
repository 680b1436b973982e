"""Settings of every test run."""

import os

# Before torch is imported: the workers of pytest-xdist share the cores, and with one thread each a
# sum of floats is taken in the same order on every machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
