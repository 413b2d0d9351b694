"""Sign the files of a bundle in the format of OpenSSF Model Signing, and check such signatures."""
