"""Pictures, the report page and what the command line prints about a store."""
