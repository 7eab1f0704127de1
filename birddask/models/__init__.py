"""Models: what a bundle says and holds, how it is fetched, converted and checked, and how it scores."""
