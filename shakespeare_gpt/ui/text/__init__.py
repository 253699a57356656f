"""The text, a character at a time: the strip, the read-out, the replay, the next character."""
