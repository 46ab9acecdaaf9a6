"""Makes a skill of a task folder: an instruction, the answer's model, labeled rows."""
