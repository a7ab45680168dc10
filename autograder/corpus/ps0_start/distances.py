# %% spike_count_answer
def spike_count(charge, threshold):
    total = 0
    for one in charge:
        if one >= threshold:
            total += one
    return total


# %% longest_silence_answer
def longest_silence(train):
    return np.diff(np.flatnonzero(train)).max()


# %% shares_answer
def shares(counts):
    return counts / counts.sum(axis=1)
