"""Camera poses and intrinsics in the conventions that capture programs write."""
