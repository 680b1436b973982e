"""MNM-p over whole sequences, compiled, with its gradients by hand.

`products` multiplies small matrices, `row` writes and reads one row's memory, `steps` takes rows
through the controller and the memory, `sequence` shares them out to threads. Each has the way
forward and the way back.
"""
