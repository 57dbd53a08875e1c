"""`python -m motionrft <stage> …`"""

from motionrft.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
