"""Passes over IR functions."""
