"""Registered hooks; import the modules through pointcept_wsegpc.register."""
