"""What several packages need and no user imports: files, texts, digests."""
