"""Vector code that the loops call: LLVM intrinsics, and the memory layouts that they work on."""
