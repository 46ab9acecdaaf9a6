"""The agent: retrieves what was learned about a request, fits it to a budget, and asks a model."""
