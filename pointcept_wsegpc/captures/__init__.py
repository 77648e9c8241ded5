"""Raw captures to prepared scenes: a folder for each kind."""
