"""Being here, it lets the tests in the folders below import ``forms``."""
