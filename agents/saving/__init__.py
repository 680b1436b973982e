"""Model files without pickle, whole or not at all."""
