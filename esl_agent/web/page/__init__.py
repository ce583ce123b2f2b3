"""The live page, as the browser gets it: no build step, nothing from elsewhere."""
