"""The review agent: reviewers decide the queries that the gate was not sure of."""
