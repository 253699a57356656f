"""Two texts beside each other: what a head looks at in either, and what comes next."""
