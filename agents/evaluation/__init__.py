"""Looks inside: traces, memory maps, gradient checks, pictures."""
