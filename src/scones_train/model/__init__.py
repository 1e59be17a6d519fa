"""The networks, pretrained weights, and the ONNX graph that is served."""
