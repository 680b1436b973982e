"""Adapters of other projects' recurrent agents, and what `check_recurrent` finds in them."""
