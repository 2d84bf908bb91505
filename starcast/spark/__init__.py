"""Work on Spark: all code that imports pyspark."""
