"""Whether an endpoint's images and answers still look like those of a reference."""
