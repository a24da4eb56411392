"""Where the installation stands: the only reader of environment variables."""
