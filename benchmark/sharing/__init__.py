"""Runs in other people's tools: experiment trackers, and a folder that can be uploaded."""
