"""The venues of an installation, where orders are stopped and positions are queried."""
