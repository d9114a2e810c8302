"""The command line: commands that read text, call the library, and print."""
