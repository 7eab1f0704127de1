"""Single clips, to be looked at and listened to: where they lie, their mels as a picture, their sound."""
