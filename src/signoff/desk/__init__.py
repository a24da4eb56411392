"""The client inside the trading process: it reads flags and refuses bad orders. No server dependency, a fast start."""
