"""``python -m dmsca_mm.native``: build the operator's CPU kernels with the installed C++ compiler."""
import sys

from .attention.dmsca.cpu.compile_kernels import main

if __name__ == '__main__':
    sys.exit(main())
