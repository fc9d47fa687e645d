"""Publishing recorded events again.

selection    which recorded events a replay takes
originals    rebuilds the record behind one of them
publishing   publishes the records, and counts what became of them
"""
