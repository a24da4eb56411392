"""The verbs of every face, as functions from plain arguments to plain documents."""
