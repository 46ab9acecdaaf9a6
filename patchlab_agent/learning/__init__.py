"""Learning: failures become stored patches, each with a status and a history."""
