"""The bench: check a kernel, then time it, then place it beside others and the machine's limits."""
