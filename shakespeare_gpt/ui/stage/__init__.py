"""The frame that everything stands in: the header, the stage, the tabs below it."""
