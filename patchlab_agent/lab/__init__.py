"""The front door: puts skill, store and model together, and does what every command does."""
