"""The controller's compiled steps, and their backward pass written by hand.

A reader of the paper needs none of it: `PlainUnroll` computes the same.
"""
