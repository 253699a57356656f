"""The prompt, the buttons, the sampler's settings, and what was written."""
