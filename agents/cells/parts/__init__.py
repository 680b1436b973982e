"""What cells are made of and share: addressing, layers, scans, compiled kernels.

No module here is a memory, and none is part of the contract; those are in `agents.cells`.
"""
