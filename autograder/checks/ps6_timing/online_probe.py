"""Runs beside the student's code: lets an object of `OnlineSTDP` learn, step by step or from whole trains."""

import torch


def _steps(online, pre, post):
    return torch.stack([online.step(*both) for both in zip(pre, post, strict=True)])


def stepped(answer, rule, dt, pre, post):
    """The change of each step."""
    return {"change": _steps(answer["OnlineSTDP"](**rule, dt=dt), pre, post)}


def learnt(answer, rule, dt, pre, post, weight, bounds):
    """Weights after learning, and the tensor that was handed in."""
    online = answer["OnlineSTDP"](**rule, dt=dt)
    return {"weight": online.learn(weight, pre, post, **bounds), "weight before": weight}


def twice(answer, rule, dt, pre, post, weight):
    """A second batch after a first one: by `learn`, and step by step after `reset`."""
    online = answer["OnlineSTDP"](**rule, dt=dt)
    online.learn(weight.clone(), pre[0], post[0])
    second = online.learn(weight.clone(), pre[1], post[1])
    online = answer["OnlineSTDP"](**rule, dt=dt)
    for both in zip(pre[0], post[0], strict=True):
        online.step(*both)
    online.reset()
    change = _steps(online, pre[1], post[1]).sum(0)
    return {"weight after the second call": second, "change after a reset": change}
