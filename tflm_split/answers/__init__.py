"""Answers to questions about models: how large an arena they need, and why."""
