"""What every face can be asked to do, as functions from plain arguments to plain documents."""
