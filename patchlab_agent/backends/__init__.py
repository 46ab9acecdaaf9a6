"""The seam to a model, and what wraps around one."""
