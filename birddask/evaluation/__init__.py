"""Probabilities against annotations: how well a model hears what people heard."""
