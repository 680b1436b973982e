"""What surrounds a memory cell: encoders, heads, policies."""
