"""Metalearned neural memory (Munkhdalai et al. 2019): two cells that differ in how they write.

`memory` has the memory, a network whose weights are the state; `cell` has the controller around
it, and what the paper leaves open; `mnm_g` and `mnm_p` have the two ways to write. A reader of the
paper needs no more: `fused` has both run whole sequences by `fast`, which computes what they do.
"""
