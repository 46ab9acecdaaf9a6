"""The interface to a model, and its wrappers."""
