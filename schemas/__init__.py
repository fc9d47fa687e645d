"""The contracts: events, topics, reason codes and errors. It imports no other part of Sluicegate."""
