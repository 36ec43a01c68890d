"""What a trained model does: its predictions, where it attends, its robustness; and the report."""
