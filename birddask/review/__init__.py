"""Detections checked by people: a sample by bands of scores, a page to answer on, and what the answers tell."""
