"""What lives inside the trading process: obeys flags, refuses bad orders. No server dependency, a fast start."""
