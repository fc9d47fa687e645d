"""Publishing recorded events again, under the ids that they had."""
