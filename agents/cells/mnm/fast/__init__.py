"""MNM over whole sequences, compiled, with its gradients by hand.

`records` says what kernels are given and leave behind, `errors` by which errors one row's memory is
written, where MNM-g and MNM-p differ, `row` writes and reads it, `steps` takes rows through the
controller and the memory, `sequence` shares them out to threads. Each has the way forward and the
way back. The products of small matrices are those of `agents.cells.parts.products`.
"""
