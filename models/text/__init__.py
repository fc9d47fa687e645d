"""Work on the text itself: normalising, the lexicon, and the check of every rewrite."""
