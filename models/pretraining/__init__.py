"""How the embedded model is made: data, corruption, vocabulary, training. All that needs the extra ``[train]``."""
