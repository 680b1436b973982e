"""What learns: one shared rollout, one file an algorithm."""
