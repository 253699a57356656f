"""Everything that touches Gradio's insides."""
