"""Alignment of a model's maps with annotated objects."""
