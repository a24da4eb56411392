"""Small Protocols for what the use cases need; every adapter passes its port's contract suite."""
