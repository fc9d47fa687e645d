"""From free text to JSON that follows a caller's JSON Schema. Every value says where in the text it was found."""
