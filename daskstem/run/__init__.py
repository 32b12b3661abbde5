"""Recipes, plans and the running of them; only here is anything computed."""
