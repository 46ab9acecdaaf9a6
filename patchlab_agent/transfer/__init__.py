"""Export, import and comparison of patches."""
