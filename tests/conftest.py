"""Settings of every test run."""

import os

# Before torch is imported: the workers of pytest-xdist share the cores, where more threads are many
# times slower, and with one thread each the order of a sum does not change from run to run.
os.environ.setdefault("OMP_NUM_THREADS", "1")
