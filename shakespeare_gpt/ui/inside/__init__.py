"""The tab "Inside a head"."""
