"""The seam to a domain: its contract, help for writing one, and a guard around others' code."""
