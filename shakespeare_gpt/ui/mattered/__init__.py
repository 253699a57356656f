"""What mattered for a prediction: each head, and each earlier character."""
