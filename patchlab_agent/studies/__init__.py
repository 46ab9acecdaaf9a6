"""Studies that compare runs and settings, and measure patches by leaving them out."""
