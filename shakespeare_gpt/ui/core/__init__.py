"""What the features of the page share."""
