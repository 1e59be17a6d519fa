"""Extract: each kind of source of images, read into one form."""
