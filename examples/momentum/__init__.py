"""A cross-sectional daily momentum model on twenty stocks: what a Signoff user would copy."""
