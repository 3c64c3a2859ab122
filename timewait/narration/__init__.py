"""Descriptions of traces in words: the story, phrases for pictures and files, guards, and the timeline behind charts."""
