"""The servers that are compared. Each is a process; peers run in an environment of their own."""
