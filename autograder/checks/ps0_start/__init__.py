"""The practice set: whole numbers and one division, so that the answers are known exactly."""
