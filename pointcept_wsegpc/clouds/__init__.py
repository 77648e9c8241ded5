"""Points and meshes, from and to files, and what is computed on them alone."""
