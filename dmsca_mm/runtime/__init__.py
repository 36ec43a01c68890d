"""How a run starts, survives and ends."""
