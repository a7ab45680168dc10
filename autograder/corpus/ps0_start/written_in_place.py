# %% spike_count_answer
def spike_count(charge, threshold):
    return len(charge) - (charge >= threshold).sum()


# %% longest_silence_answer
def longest_silence(train):
    silences, current = [0], 0
    for spike in train:
        if spike:
            silences.append(current)
            current = 0
        else:
            current += 1
    return max(silences)


# %% shares_answer
def shares(counts):
    counts /= counts.sum(axis=1, keepdims=True)
    return counts
