"""Answers one request: what was learned is retrieved, fitted to a budget, rendered and asked."""
