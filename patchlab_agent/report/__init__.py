"""Presentation of results: pure functions from reports and traces to terminal output."""
