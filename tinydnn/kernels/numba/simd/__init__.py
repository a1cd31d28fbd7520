"""Vector code that the loops call: LLVM intrinsics and memory layouts."""
