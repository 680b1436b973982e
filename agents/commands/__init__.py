"""The subcommands of `memory-envs`: what they take, and what they do."""
