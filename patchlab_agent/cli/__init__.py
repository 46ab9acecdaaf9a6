"""The command line: parse, call, print, exit code. A file for each command group."""
