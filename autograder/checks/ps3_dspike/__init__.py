"""Questions of the problem set on Dspike: the function and its limits, finite differences, the choice of a temperature."""
