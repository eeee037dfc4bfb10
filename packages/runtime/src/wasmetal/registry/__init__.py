"""The backends that are installed, and which one this host gets.

Imports no other room.
"""
