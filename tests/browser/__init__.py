"""A real browser for tests: Debian's Chromium, spoken to over a pipe."""
