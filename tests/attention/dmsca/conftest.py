"""Makes pytest add this folder to ``sys.path``, so that tests in subfolders can import ``forms``."""
