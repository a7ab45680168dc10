# %% longest_silence_answer
def longest_silence(train):
    current = longest = 0 if train[0] else 1
    for spike in train[1:]:
        current = 0 if spike else current + 1
        longest = max(longest, current)
    return longest
