"""ScanNet v2: .sens streams, meshes and their labels."""
