# %% spike_count_answer
def spike_count(charge, threshold):
    return charge >= threshold


# %% longest_silence_answer
def longest_silence(train):
    return len(train) - sum(train)


# %% shares_answer
def shares(counts):
    totals = counts.sum(axis=0)
    return counts / np.where(totals == 0, 1, totals)
