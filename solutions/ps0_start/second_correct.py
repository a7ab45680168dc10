# %% answer="spike_count"
def spike_count(charge, threshold):
    fired = 0
    for one in charge.tolist():
        if not one < threshold:
            fired += 1
    return fired


# %% answer="longest_silence"
def longest_silence(train):
    text = "".join("x" if spike else "." for spike in train)
    return max(len(part) for part in text.split("x"))


# %% answer="shares"
def shares(counts):
    rows, classes = counts.shape
    result = np.zeros((rows, classes))
    for row in range(rows):
        if counts[row].any():
            result[row] = counts[row] / counts[row].sum()
    return result
