"""Making a model better with rows of one's own: from a teacher, from reviewers, and LoRA on what they say."""
