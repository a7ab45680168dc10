"""The questions of the problem set on conversion and calibration."""
