"""The stand-in for the package `autogluon` in AWS's image."""
