"""The page: Gradio is imported in this package alone."""
