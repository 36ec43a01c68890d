"""Analysis of a trained model: predictions, attention, robustness and the report."""
