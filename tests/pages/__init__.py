"""README and docs as tests: every fenced block of a page is run, or says why it is not.

A page is a story: its blocks run in order, in one folder and one Python namespace. What a reader would
have at hand is there: `composer` and `qa` served at 127.0.0.1:50051 (any free port in truth), and a
mock provider behind OPENAI_API_BASE.

- ```python runs, with top-level await; one that begins with `# name.py` is first saved under that name.
- ```console runs its `$ ` lines; the lines below one are what it must print, `...` standing for any text.
- ```sh runs as a script. A command that serves is started and stays until the page ends.
- ```json and ```toml must parse; TOML that begins with `# name.toml` is saved too. ```text is for the eye.
- Anything else fails, unless the line above it is `<!-- not run: reason -->`.
"""
