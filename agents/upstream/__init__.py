"""A client for any OpenAI-compatible chat API: time limits, retries, a circuit breaker, and limits on rate and money.

config      where the API is, and what a request may take and cost
failures    every way in which a request fails, and what follows from it
budget      stops asking when the day's money is spent
turns       limits on requests at once, and on their rate
transport   one request and its answer, bounded in size and time
client      the client: all of these around the transport
"""
