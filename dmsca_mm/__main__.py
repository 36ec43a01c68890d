"""``python -m dmsca_mm`` reports what is installed, what works and what to do."""
import sys

from .doctor import main

if __name__ == '__main__':
    sys.exit(main())
