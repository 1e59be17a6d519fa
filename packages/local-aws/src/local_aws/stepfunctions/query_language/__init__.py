"""The query languages of states: JSONPath, JSONata, and the variables of both."""
