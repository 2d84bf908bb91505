"""What becomes of a model after promotion: whether new reviews are still like those it was tested on."""
