"""How the embedded model is trained: its examples, and the loop, which needs the extra ``[train]``."""
