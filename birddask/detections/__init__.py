"""Probabilities become detections: thresholds, filters, smoothing and merging, decided late and on the tables."""
