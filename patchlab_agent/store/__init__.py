"""Patches and traces in Chroma; no other package uses Chroma's client."""
