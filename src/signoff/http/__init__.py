"""The server: requests in, problems or documents out."""
