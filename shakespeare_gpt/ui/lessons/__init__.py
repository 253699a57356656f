"""Lessons: ours, and those that a visitor puts together."""
