"""Patches out of a store and into another one, and what two collections differ in."""
