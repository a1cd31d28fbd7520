"""`python -m tinydnn` is `tinydnn`."""

from tinydnn.cli import main

main()
