"""What is on the Python path of a script in the image, besides its own files."""
