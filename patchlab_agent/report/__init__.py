"""Figures made visible: pure functions from reports and traces to what a terminal shows."""
