"""Makes raw scans; no other room imports this one."""
