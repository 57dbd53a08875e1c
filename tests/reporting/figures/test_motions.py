"""Base and fine-tuned motions as a film."""

from PIL import Image


def test_the_film_moves(drawn):
    with Image.open(drawn / "motions_mdm.gif") as film:
        assert film.n_frames > 10
        film.seek(10)
        assert len(film.convert("RGB").getcolors(10**6)) > 3
