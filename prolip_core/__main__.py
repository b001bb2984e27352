"""`python -m prolip_core …`"""

from prolip_core.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
