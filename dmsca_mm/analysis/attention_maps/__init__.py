"""Attention and Grad-CAM of a model, drawn on images."""
