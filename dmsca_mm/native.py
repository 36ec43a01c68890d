"""``python -m dmsca_mm.native`` builds the operator's CPU kernels with the C++ compiler that is here."""
import sys

from .attention.dmsca.cpu.compile_kernels import main

if __name__ == '__main__':
    sys.exit(main())
