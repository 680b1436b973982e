"""What every family shares: generators, the rules protocol, the scalar and the vector shell."""
