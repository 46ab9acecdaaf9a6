"""A skill that routes support tickets."""
