"""A verdict on a column of returns, without a dossier: `signoff verdict` and `signoff.evaluate`."""
