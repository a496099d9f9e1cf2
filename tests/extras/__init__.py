"""What needs a package that `make test` does not install."""
