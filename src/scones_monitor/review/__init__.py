"""The review page: a small local server over the images that a person must decide."""
