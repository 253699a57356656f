"""What the heads look at: thumbnails, maps, lenses, roles, earlier moments."""
