"""The console command: one short file a sub-command."""
