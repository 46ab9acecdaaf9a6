"""The decision whether a patch may become, and stay, active."""
