"""Pure functions from traces to the figures of a report."""
