"""Turns failures into stored patches, and keeps each patch's status and history."""
