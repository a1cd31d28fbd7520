"""`python -m tinydnn` is `tinydnn`."""

from tinydnn.cli.app import main

main()
