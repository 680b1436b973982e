"""The differentiable neural computer (Graves et al. 2016).

`cell` has the machine and the variants of Csordas & Schmidhuber 2019, `addressing` how it chooses
where to write and read. A reader of the papers needs no more: `fast` computes what the plain
machine does.
"""
