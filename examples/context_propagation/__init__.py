"""Who has asked travels with everything a workflow does, without an argument for it."""
