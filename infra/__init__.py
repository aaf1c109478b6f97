"""The stages of the program, one module each; `__main__.py` calls them in order."""
