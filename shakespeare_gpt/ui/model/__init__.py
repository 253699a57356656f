"""The tab "The model"."""
