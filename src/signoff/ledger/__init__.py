"""The ledger as bytes: canonical events, a Merkle tree over them, signed checkpoints, envelopes, and verification."""
