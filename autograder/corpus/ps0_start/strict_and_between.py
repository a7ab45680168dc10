# %% spike_count_answer
def spike_count(charge, threshold):
    return np.sum(charge > threshold)


# %% longest_silence_answer
def longest_silence(train):
    spikes = np.flatnonzero(train)
    if len(spikes) < 2:
        return 0
    return (np.diff(spikes) - 1).max()


# %% shares_answer
def shares(counts):
    return counts / max(counts.sum(), 1)
