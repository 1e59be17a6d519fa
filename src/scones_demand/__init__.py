"""The demand forecast: how many bicycles and riders each hour.

A second workload on the same rails: features, model, evaluation, and the container's entries.
"""
