"""Training, scoring, and the commands that make everything derived from the checkpoint. The app never imports this."""
