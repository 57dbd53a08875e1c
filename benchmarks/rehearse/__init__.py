"""What the rehearsal (`benchmarks/rehearsal.py`) makes: a corpus, released files and text encoders with random contents."""
