"""What a field worker asks of an archive: what each recorder did, what is damaged, what is missing."""
