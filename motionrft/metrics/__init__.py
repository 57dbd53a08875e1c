"""What scores are computed with: pure functions on embeddings and labels, known to reward and evaluation alike."""
