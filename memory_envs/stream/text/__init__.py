"""Streams of text: logic in letters, words to be tagged, sentences to be memorised."""
