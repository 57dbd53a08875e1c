"""`python -m motionrft <stage> …`"""

import gc

from motionrft.cli import main

if __name__ == "__main__":
    status = main()
    gc.freeze()  # nothing is searched for garbage in a process that ends: half a second with torch
    raise SystemExit(status)
