"""Evidence from files: parsed and checked once here, and trusted elsewhere."""
