from local_aws.server import action_layers


def test_an_action_passes_the_layers_from_the_first_to_the_last(monkeypatch):
    passed = []

    def layer(name):
        def answer(below, response):
            passed.append(name)
            return below(response)

        return answer

    monkeypatch.setattr(action_layers, "LAYERS", (layer("outer"), layer("inner")))
    assert action_layers.call_action(lambda response: (200, {}, response), "asked") == (
        200,
        {},
        "asked",
    )
    assert passed == ["outer", "inner"]
