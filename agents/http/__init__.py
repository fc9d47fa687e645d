"""The gate over HTTP: one Starlette application on the decider that the worker and the Python API use.

    client ─► server.py        uvicorn; limits on the time and the size of a request's head
              app.py           routes ─► endpoint.py, one for each route:
                                           limits and API key ─► body.py, json_body.py ─► the route's function
                                           ─► JSON, or an error of errors.py
              gate_routes.py   /v1/gate, /v1/moderate, /v1/rewrite: our own door
              openai/          /v1/moderations, /v1/chat/completions, /v1/models: OpenAI's clients
              litellm_guardrail.py   LiteLLM's proxies
              mcp_door.py      /mcp: assistants, if a setting asks for it

A door is one module with its routes. To add one:

1. Write a module, as `gate_routes.py` is one. A request body is a frozen msgspec struct, and so is an answer. A route
   is a `JsonRoute`: a path, the two types, and a coroutine function that gets the `HttpService` and the `Call`, and
   returns the answer (or a Starlette `Response`, for a stream). It decides with `deciding.decide_query` or
   `passages.decide_whole`, and refuses what it cannot do by raising `RequestRefused`; `errors.py` has the status of
   each code.
2. Name its `ROUTES` in `app.DOORS`. Limits, keys, traces, metrics and the OpenAPI document then hold for them too.
"""
