"""The programs around the model server, and the libraries that all of them stand on."""
