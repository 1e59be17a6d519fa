"""An embedded AWS: moto's control plane, made to execute what is deployed to it."""
