"""The page: Gradio is imported in this package alone."""

import os

# Read when Gradio is imported. It sums up every event it ever had, with pandas, after each event, for a monitoring page
# that is closed here.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
