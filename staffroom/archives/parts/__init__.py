"""What an archive is made of: one module a part. Each writes itself and says how many of what it wrote."""
