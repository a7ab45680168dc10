# %% spike_count_answer
def spike_count(charge, threshold):
    return (charge >= threshold).mean()


# %% longest_silence_answer
def longest_silence(train):
    best = run = 0
    for spike in train:
        run = run + 1 if spike else 0
        best = max(best, run)
    return best


# %% shares_answer
def shares(counts):
    return counts / counts.sum(axis=1, keepdims=True)
