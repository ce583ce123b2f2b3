"""Whether this daemon may act: alone, or one of two."""
