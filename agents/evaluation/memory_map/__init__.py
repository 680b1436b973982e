"""Memory maps: what a memory wrote and read over one episode.

After Fig. 5 and Appendix D of Munkhdalai et al. (2019). `compute` makes maps of what was seen in a
trace, with `labels` for its steps; `picture` and `page` show them.
"""

from agents.evaluation.memory_map.compute import Map, MemoryMap, memory_map, shown_steps

__all__ = ["Map", "MemoryMap", "memory_map", "shown_steps"]
