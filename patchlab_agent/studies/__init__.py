"""Compares runs and settings, and measures patches by leaving them out."""
