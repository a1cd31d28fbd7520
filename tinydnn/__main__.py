"""`python -m tinydnn` is `tinydnn`."""

from tinydnn.cli.start import main

main()
