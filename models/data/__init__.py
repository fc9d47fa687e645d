"""Rows, word lists and generators that training and evaluation share."""
