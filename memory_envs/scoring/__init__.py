"""Plays anybody's agent and says how good it is; needs NumPy, and nothing that the agent needs."""
