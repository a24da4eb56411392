"""The venues that an installation may have: where a model's orders are stopped, and its positions are asked for."""
