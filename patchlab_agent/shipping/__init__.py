"""The first skill: quotes for shipping requests."""
