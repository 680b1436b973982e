"""The plain differentiable neural computer over whole sequences, compiled.

`agents.cells.dnc.cell` has the same equations in PyTorch, with their sources; nobody has to read
both.
"""
