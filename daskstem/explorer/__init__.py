"""The explorer: a page in the browser that reads a store as it is looked at."""
