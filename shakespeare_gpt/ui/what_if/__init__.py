"""The tab "What if?"."""
