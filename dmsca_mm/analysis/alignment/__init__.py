"""How well a model's maps fall onto annotated objects."""
