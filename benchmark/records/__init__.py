"""What a run leaves on disk: who it is, how it is written and read, and what tables are made of."""
