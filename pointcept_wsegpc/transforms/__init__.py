"""Stage one's transforms beyond Pointcept's own; pure functions on arrays."""
