"""Starting, safeguarding and finishing a run."""
