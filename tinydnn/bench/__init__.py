"""The bench: check kernels, time them, and compare them with each other and with the machine's peaks."""
