"""``python -m dmsca_mm`` is the command ``dmsca``."""
from .commands import main

if __name__ == '__main__':
    main()
