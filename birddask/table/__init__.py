"""The tables of an output as Parquet: recordings, clips, probabilities, and which of them are committed."""
