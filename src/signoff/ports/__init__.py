"""What the use cases need from the world, as small Protocols; every adapter passes its port's contract suite."""
