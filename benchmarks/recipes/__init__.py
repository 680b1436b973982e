"""Agents of the benchmark in the style of other libraries, a file each, to be copied."""
