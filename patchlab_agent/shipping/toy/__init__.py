"""The default model: a deterministic noisy parser that knows only what its prompt says."""
