"""A language model beside the quotes: it picks and orders spans and joins them with prose that is checked."""
