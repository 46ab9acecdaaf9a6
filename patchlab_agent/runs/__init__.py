"""Sends many requests through a lab, with baseline and ceiling beside each, and sums a run up."""
