"""Builds and trains the speller's files from word lists and misspelt pairs. Nothing that serves needs it."""
