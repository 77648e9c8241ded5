"""What stage one does to a sample beyond Pointcept's own transforms; pure functions on arrays."""
