"""Running a trained model on corrupted images: processes, stored cells, results. ``measure.py`` is the way in."""
