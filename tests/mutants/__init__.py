"""Small mistakes put into the code at random, to see whether the tests notice."""
