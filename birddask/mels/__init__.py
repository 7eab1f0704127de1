"""Mels as a model eats them: the spec, the pure front end that computes them, the store that keeps them."""
