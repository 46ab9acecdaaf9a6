"""The shipping skill: quotes for shipping requests."""
