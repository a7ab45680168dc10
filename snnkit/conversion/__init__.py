"""From a trained ANN to a spiking network: conversion, thresholds, calibration and the analysis of its errors."""
