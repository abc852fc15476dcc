"""Recipes that make a pair."""
