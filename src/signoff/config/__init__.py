"""The settings of the installation; only this package reads environment variables."""
