"""From a recipe to a folder of results."""
