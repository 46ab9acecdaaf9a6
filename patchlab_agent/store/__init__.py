"""Patches and traces in Chroma; no other room knows Chroma's client."""
